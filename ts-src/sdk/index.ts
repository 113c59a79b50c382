export { after, type AfterOptions, type CommandResult, type FinishedCommand } from './after.js'
export { arg, type Arg, type ArgValue, type ArgValues, type KeyMode, type MultipleOptions, type Range } from './arg.js'
export type {
  AllowRule,
  ArgumentMatch,
  DenyRule,
  RateRule,
  ReadOnlyRule,
  RenameRule,
  Rule,
  RuleMatcher,
  SizeRule,
} from './rule.js'
export { before, type BeforeOptions, type CommandWord, type HookedCommand, type Verdict } from './before.js'
export type { BreakerOptions, CommandMatcher, CommandWords } from './command-matcher.js'
export { command, type Command, type CommandFlag, type CommandOptions } from './command.js'
export type {
  CommandContext,
  EventOrigin,
  HookContext,
  KeyEventContext,
  LifecycleContext,
  Logger,
  NoticeContext,
  PluginContext,
  RawCall,
  ServerAccess,
  TimerContext,
  ToldContext,
  ValueType,
} from './context.js'
export { definePlugin, type DefinedPlugin, type Permissions, type PluginDefinition } from './define-plugin.js'
export type { Duration } from './duration.js'
export {
  cron,
  every,
  onKey,
  type CronOptions,
  type Hook,
  type KeyEventName,
  type KeyHookOptions,
  type TimerHandler,
  type TimerOptions,
} from './hooks.js'
export type { EventPayload, Json } from './event-payload.js'
export { on, type EmittedEvent, type EmittedHookOptions } from './on.js'
export { onClient, type ClientEvent, type ClientEventName, type ClientHookOptions } from './on-client.js'
export {
  onServer,
  type ConfigChangeEvent,
  type FlushEvent,
  type LoadingEvent,
  type ReplicationSyncEvent,
  type RoleChangeEvent,
  type ServerEvent,
  type ServerEventName,
  type ServerHookOptions,
  type ServerRole,
  type ShutdownEvent,
  type StartupEvent,
  type SwapDbEvent,
} from './on-server.js'
export { ArgumentError, PluginDefinitionError, PluginError } from './plugin-error.js'
export { read, type KeyRef, type KeysRef, type ReadValues, type Reference, type WordRef } from './read.js'
export type { PipelineResult, PluginCommit, PluginPipeline, PluginRedis } from './redis-types.js'
export { CommitResult, reply, ReplyMarker, type Reply } from './reply.js'
export type { ScoredMember } from './reply-shapes.js'
export { setting, settings, type Setting, type Settings, type SettingValue, type SettingValues } from './setting.js'
export { shape, type ReplyShape, type ShapeValue } from './shape.js'
export { RespError, RespMap, RespSet, RespVerbatim, type RespValue } from '../bridge/resp-value.js'

// An after hook that nobody waits for, as its plugin runs: the queue of the commands that it is told of.
import type { Invoke } from '../bridge/messages.js'
import type { CompiledToldHook } from '../sdk/compile-command-hook.js'
import { EventQueue } from './event-queue.js'
import { InvokedResult, InvokedWords } from './hooked-command.js'
import type { ListenerBase } from './listener.js'
import { OwnToldContext } from './own-context.js'

export function toldQueue(hook: CompiledToldHook, own: ListenerBase): EventQueue<Invoke> {
  const { base, signal } = own
  return new EventQueue<Invoke>(
    (invoke, dropped) =>
      hook.handler(
        new OwnToldContext(base, own.accessTo(invoke.db), invoke, dropped, signal),
        new InvokedWords(invoke.args),
        new InvokedResult(invoke.reads),
      ),
    (thrown, { args }) =>
      base.log.error({ hook: hook.name, command: new InvokedWords(args).name, err: thrown }, 'an after hook failed'),
  )
}

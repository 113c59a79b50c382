/** What the manifest says of a hook on events that are not of keys. */

/** Whose events: of clients, of the server, of plugins. */
export const noticeHookKinds = ['clients', 'server', 'plugins'] as const

export type NoticeHookKind = (typeof noticeHookKinds)[number]

export interface NoticeHook {
  readonly name: string
  readonly kind: NoticeHookKind
  readonly events: readonly string[]
}

/** A plugin's permissions as ACL rules: what the module lets the plugin do when no client stands behind a call. */

import type { Permissions } from '../sdk/define-plugin.js'

/** What every plugin may call before its own rules are applied. */
const defaultCommands = ['+@all', '-@admin', '-@dangerous']

function keyRules(prefix: string, globs: readonly string[] | undefined): readonly string[] {
  return (globs ?? []).map((glob) => `${prefix}~${glob}`)
}

/**
 * The rules, as in ACL SETUSER, separated by spaces. The user that they are for starts with no rights at all. (The
 * manifest's schema has made sure that no rule holds a space or means something else.)
 */
export function pluginAcl(permissions: Permissions): string {
  const { keys = {}, channels = [], commands = [] } = permissions
  return [
    ...keyRules('%R', keys.r),
    ...keyRules('%RW', keys.rw),
    ...keyRules('%W', keys.w),
    ...channels.map((glob) => `&${glob}`),
    ...defaultCommands,
    ...commands,
  ].join(' ')
}

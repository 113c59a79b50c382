// A module for a client: its code and its types.
import { readFileSync } from 'node:fs'
import { packageVersion } from '../../setup/package-root.js'
import type { ClientPlugin } from './client-command.js'

/** The two files of a module, without their endings. */
export interface ClientModule {
  readonly name: string
  /** `<name>.mjs` */
  readonly code: string
  /** `<name>.d.mts` */
  readonly types: string
}

/** First lines of both files: what they were made from. */
export function heading(plugins: readonly ClientPlugin[]): string {
  const sources = plugins.map(({ name, version }) => `${name} ${version}`).join(', ')
  return `// Made by \`ferrite types\` of ferrite-plugins ${packageVersion()} from: ${sources}. Not to be edited.`
}

/** The compiled code of a file in runtime/, to stand in a module: nothing is exported, nothing imported. */
export function runtimeCode(file: string): string {
  const code = readFileSync(new URL(`./runtime/${file}.js`, import.meta.url), 'utf8')
  return code
    .replace(/^\/\/# sourceMappingURL=.*$/m, '')
    .replace(/^\/\/ Part of .*\n\/\/ .*\n/m, '')
    .replace(/^export (?=function|const|class)/gm, '')
    .replace(/^export \{\};?$/m, '')
    .trim()
}

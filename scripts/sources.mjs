// Which files the checks look at.
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { rootFolder } from './library.mjs'

/** A file of an installed package. */
export function node(path) {
  return join(rootFolder, 'node_modules', path)
}

/** Every C file of ours. */
export function cFiles() {
  return ['redis-module', 'bench', 'test']
    .map((folder) => join(rootFolder, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.[ch]$/.test(entry.name) && !entry.parentPath.includes('/include'))
    .map((entry) => relative(rootFolder, join(entry.parentPath, entry.name)))
    .sort()
}

/** What Prettier formats; .prettierignore takes away more. */
export function prettierTargets() {
  return ['ts-src', 'test', 'bench', 'examples', 'scripts', '*.js', '*.json']
    .filter((path) => path.includes('*') || existsSync(join(rootFolder, path)))
    .map((path) => (path.includes('*') ? path : `${path}/**/*.{ts,mjs,js,json}`))
}

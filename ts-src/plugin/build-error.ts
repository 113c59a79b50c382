/** A plugin that cannot be built or loaded. The message is for its author. */
export class PluginBuildError extends Error {
  override readonly name = 'PluginBuildError'

  constructor(
    /** The file or folder that was built. */
    readonly source: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${source}: ${problem}`, options)
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

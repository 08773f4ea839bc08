/**
 * Optional native packages. They make things faster, never possible: each caller has a twin in TypeScript.
 *
 * Loaded by `require` at first use, not by `import`: an import that fails ends the process (a package built for
 * another Node version throws while loading), and each of them costs 3-15 ms that start-up must not pay.
 */
import { createRequire } from 'node:module'

// In an application that was bundled as CommonJS there is no import.meta.url, but a __filename.
const require = createRequire(import.meta.url ?? __filename)

/**
 * The package's exports, or null when it is not installed or does not load on this Node. `T` is what the caller
 * needs of it; `isUsable` checks that, so that a package of another shape counts as absent.
 */
export function loadNative<T>(name: string, isUsable: (exports: Partial<T>) => boolean): T | null {
  try {
    const exports = require(name) as Partial<T>
    return isUsable(exports) ? (exports as T) : null
  } catch {
    // Not installed, not built, or built for another Node: all mean "use the twin". Which one is in use is told
    // by crc32cImplementation() and codecImplementations().
    return null
  }
}

/** How often the machines write images, and how many commands may wait. */
import type { Settings } from '../config/settings.ts'

export function executorSettings(settings: Settings) {
  return {
    imageEveryChanges: settings.get('lograft.image.changes.max'),
    imageEveryBytes: settings.get('lograft.image.bytes.max'),
    commandsPendingMax: settings.get('lograft.commands.pending.max'),
  }
}

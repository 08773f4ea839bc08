/** The folder cannot be used by this broker as it was started; the sentence says why and what to do. */
export class DataFolderRefused extends Error {
  override name = 'DataFolderRefused'
}

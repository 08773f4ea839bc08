import { api, array, bool, int16, int32, int64, string } from '../notation.ts'

/**
 * What a broker speaks. The response header is version 0 always, and an unknown version is answered in the
 * form of version 0, for a client cannot know better yet.
 *
 * Versions: 3 the client's name and version, features; 4 features from level 0.
 * @source KIP-35, KIP-511, KIP-584, KIP-1022
 */
export const ApiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexible: 3,
  request: {
    clientSoftwareName: string.since(3).ignorable,
    clientSoftwareVersion: string.since(3).ignorable,
  },
  response: {
    errorCode: int16,
    apiKeys: array({
      apiKey: int16,
      minVersion: int16,
      maxVersion: int16,
    }),
    throttleTimeMs: int32.since(1).ignorable,
    supportedFeatures: array({
      name: string,
      minVersion: int16,
      maxVersion: int16,
    })
      .since(3)
      .tag(0).ignorable,
    finalizedFeaturesEpoch: int64.since(3).tag(1).or(-1).ignorable,
    finalizedFeatures: array({
      name: string,
      maxVersionLevel: int16,
      minVersionLevel: int16,
    })
      .since(3)
      .tag(2).ignorable,
    zkMigrationReady: bool.since(3).tag(3).ignorable,
  },
})

import { api, array, bool, int8, int16, int32, string } from '../notation.ts'

/**
 * Settings of topics (`resourceType` 2) and brokers (4). `configurationKeys`: null asks for all.
 *
 * Versions: 1 source and synonyms; 3 types and documentation.
 * @source KIP-133, KIP-226, KIP-569
 */
export const DescribeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: [0, 4],
  flexible: 4,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configurationKeys: array(string).nullable,
    }),
    includeSynonyms: bool.since(1),
    includeDocumentation: bool.since(3),
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      errorCode: int16,
      errorMessage: string.nullable,
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable,
        readOnly: bool,
        isDefault: bool.until(1).ignorable,
        configSource: int8.since(1).or(-1).ignorable,
        isSensitive: bool,
        synonyms: array({
          name: string,
          value: string.nullable,
          source: int8,
        }).since(1).ignorable,
        configType: int8.since(3).ignorable,
        documentation: string.nullable.since(3).ignorable,
      }),
    }),
  },
})

/**
 * Headers of requests and responses. A frame on the wire is: int32 size, header, body.
 * `Api.requestHeaderVersion` and `Api.responseHeaderVersion` say which version of the header goes with which
 * version of the body.
 */
import { Reader, type Writer } from '../base/bytes.ts'
import { int16, int32, layout, string, type ValueInput, type ValueOf } from './notation.ts'

/**
 * The client id keeps its classic encoding in version 2: a broker can log who speaks before it knows the API.
 */
const requestHeader = layout(
  { apiKey: int16, apiVersion: int16, correlationId: int32, clientId: string.nullable.classic },
  { versions: [1, 2], flexible: 2, name: 'RequestHeader' },
)
const responseHeader = layout(
  { correlationId: int32 },
  { versions: [0, 1], flexible: 1, name: 'ResponseHeader' },
)

export type RequestHeader = ValueOf<typeof requestHeader>
export type ResponseHeader = ValueOf<typeof responseHeader>

/**
 * What a frame (without its size) asks for, before its header can be read. @throws Malformed when it is too
 * short.
 */
export function peekApi(frame: Buffer): { apiKey: number; apiVersion: number } {
  const reader = new Reader(frame)
  return { apiKey: reader.int16('apiKey'), apiVersion: reader.int16('apiVersion') }
}

/** @throws Malformed */
export function decodeRequestHeader(reader: Reader, version: 1 | 2): RequestHeader {
  return requestHeader.decode(reader, version)
}

export function encodeRequestHeader(
  writer: Writer,
  header: ValueInput<typeof requestHeader>,
  version: 1 | 2,
): void {
  requestHeader.encode(writer, header, version)
}

/** @throws Malformed */
export function decodeResponseHeader(reader: Reader, version: 0 | 1): ResponseHeader {
  return responseHeader.decode(reader, version)
}

export function encodeResponseHeader(writer: Writer, header: ResponseHeader, version: 0 | 1): void {
  responseHeader.encode(writer, header, version)
}

/**
 * Clients of other protocols that come to this port by mistake. Their first four bytes, read as the size of a frame, are
 * hundreds of millions: without this, all that the log could say is "too large".
 */
const methods = ['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC', 'TRAC', 'CONN', 'PRI ']
const http = new Set(methods.map((method) => Buffer.from(method, 'latin1').readInt32BE(0)))
const ssh = Buffer.from('SSH-', 'latin1').readInt32BE(0)
/** A TLS record of type handshake, version 3.x. */
const tls = 0x1603

/** What the first four bytes of a connection speak when it is not Kafka; null when it may be. */
export function foreignProtocol(firstFour: number): 'TLS' | 'HTTP' | 'SSH' | null {
  if (firstFour >>> 16 === tls) return 'TLS'
  if (http.has(firstFour)) return 'HTTP'
  return firstFour === ssh ? 'SSH' : null
}

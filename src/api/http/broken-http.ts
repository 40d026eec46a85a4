/**
 * Answers to what never becomes a request of the server's routes: invalid HTTP, slow clients, and
 * methods that Node hands over as a bare connection. There is no response object, so they are
 * written by hand.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Complaint, Dispatcher } from './dispatch.ts'
import { endWith } from './last-answer.ts'

/** Of answers in XML. */
export const XML_TYPE = 'text/xml;charset=UTF-8'

/** The answer to other paths and methods. */
export const NOT_HERE = {
  status: 404,
  code: 'InvalidRequest',
  message: 'Not found: the EC2 Query API is GET or POST of /',
} as const satisfies Complaint

/** The whole HTTP response for a client on another machine that does not use TLS. */
export function useTlsAnswer(dispatcher: Dispatcher): string {
  return brokenHttp(dispatcher, 400, 'Bad Request', USE_TLS)
}

/** Answers invalid HTTP, a slow request or a too long head, and closes the connection. */
export function answerBrokenHttp(
  dispatcher: Dispatcher,
  error: Error & { readonly code?: string },
  socket: Socket,
): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, line, message] = brokenHttpAnswer(error.code)
  socket.end(brokenHttp(dispatcher, status, line, message))
}

/**
 * Answers the requests that Node would end without a document: CONNECT, whose connection it closes,
 * and an expectation that it does not know, which may be ignored (RFC 9110, 10.1.1).
 */
export function answerOddRequests(server: Server, dispatcher: Dispatcher): void {
  server.on('connect', (_request, socket) =>
    endWith(socket, brokenHttp(dispatcher, NOT_HERE.status, 'Not Found', NOT_HERE.message)),
  )
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

/** A whole HTTP response as text. */
function brokenHttp(dispatcher: Dispatcher, status: number, line: string, message: string): string {
  const { text: xml, requestId } = dispatcher.refuse({ status, code: 'InvalidRequest', message })
  return [
    `HTTP/1.1 ${status} ${line}`,
    `Date: ${new Date().toUTCString()}`,
    `Content-Type: ${XML_TYPE}`,
    `Content-Length: ${Buffer.byteLength(xml)}`,
    `X-Amzn-RequestId: ${requestId}`,
    'Connection: close',
    '',
    xml,
  ].join('\r\n')
}

const USE_TLS =
  'This API is served over TLS: use https instead of http in the endpoint, and AWS_CA_BUNDLE as printed by "atoll env". The unencrypted request was not read'

function brokenHttpAnswer(code: string | undefined): readonly [number, string, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'Request Header Fields Too Large', 'The request headers are too large']
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'Request Timeout', 'The request was not received in time']
    default:
      return [400, 'Bad Request', 'The request is not well-formed HTTP']
  }
}

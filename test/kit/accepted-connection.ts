/** Connections of clients to a server in this process. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { nextTurn } from '../../src/lib/clock.ts'
import type { Ipv4 } from '../../src/model/addr.ts'

/** The client's and the server's address. */
export const HERE = '127.0.0.1' as Ipv4
/** Turns of the event loop in which a connection is certainly accepted. */
const TURNS = 20

/** A connection that the server has accepted, and that has sent nothing. */
export async function acceptedConnection(port: number): Promise<Socket> {
  const socket = connect(port, HERE)
  await once(socket, 'connect')
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn()
  return socket
}

/** All that comes until the server closes it. */
export async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

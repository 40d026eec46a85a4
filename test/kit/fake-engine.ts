/**
 * A Docker Engine that gives the answers of a test over a real unix socket: for what a real one
 * does too rarely.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Dockerode from 'dockerode'
import { openDocker } from '../../src/containers/engine.ts'

export interface FakeEngine {
  readonly docker: Dockerode
  close(): Promise<void>
}

/** Answers every request by `answer` until it is closed, which cuts what is still open. */
export async function startFakeEngine(answer: RequestListener): Promise<FakeEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-fake-engine-'))
  const socketPath = join(directory, 'docker.sock')
  const server = createServer(answer)
  server.listen(socketPath)
  await once(server, 'listening')
  return {
    docker: openDocker(socketPath),
    async close() {
      server.close()
      server.closeAllConnections()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

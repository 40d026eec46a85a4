/** The daemon of one host in one process: the agent and the API. */
import type { Agent } from './agent/agent.ts'
import { servesClients } from './agent/health.ts'
import { type AgentPart, type DaemonSeams, startAgentPart } from './agent-part.ts'
import { startApiServer } from './api-server.ts'

/** A running daemon. Disposing of it stops the daemon; instances keep running. */
export interface Daemon extends AsyncDisposable, Pick<AgentPart, 'duplicate'> {
  readonly agent: Agent
}

/**
 * Starts the daemon. Returns when it answers clients. Errors: what keeps it from starting, among
 * them `DuplicateHostError`; then everything that had started is closed again.
 */
export async function startDaemon(seams: DaemonSeams): Promise<Daemon> {
  await using parts = new AsyncDisposableStack()
  const { identity, health, ...agent } = await startAgentPart(seams, parts)
  const isHealthy = () => servesClients(health())
  await startApiServer({ ...seams, ...agent, certificates: identity, isHealthy }, parts)
  await agent.listen()
  const started = parts.move()
  return {
    ...agent,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The daemon of one host: the agent, and the API where no other process answers it. */
import type { Agent } from './agent/agent.ts'
import { servesClients } from './agent/health.ts'
import { type AgentPart, type DaemonSeams, hasApiProcesses, startAgentPart } from './agent-part.ts'
import { serveBus, startApiServer } from './api-server.ts'

/** A running daemon. Disposing of it stops the daemon; instances keep running. */
export interface Daemon extends AsyncDisposable, Pick<AgentPart, 'duplicate'> {
  readonly agent: Agent
}

/**
 * Starts the daemon. Returns when it answers clients, or the operator alone where other processes
 * answer clients. Errors: what keeps it from starting, among them `DuplicateHostError`; then
 * everything that had started is closed again.
 */
export async function startDaemon(seams: DaemonSeams): Promise<Daemon> {
  await using parts = new AsyncDisposableStack()
  const { identity, health, ...agent } = await startAgentPart(seams, parts)
  if (!hasApiProcesses(seams)) {
    const isHealthy = () => servesClients(health())
    await startApiServer({ ...seams, ...agent, certificates: identity, isHealthy }, parts)
  }
  serveBus({ ...seams, ...agent }, parts)
  await agent.listen()
  const started = parts.move()
  return {
    ...agent,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

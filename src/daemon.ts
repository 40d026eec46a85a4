/** The daemon of one host: the agent, and the API where no other process answers it. */
import type { Agent } from './agent/agent.ts'
import { servesClients } from './agent/health.ts'
import { type AgentPart, type DaemonSeams, hasApiProcesses, startAgentPart } from './agent-part.ts'

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
  // An agent that answers no clients has nothing of the actions in its memory.
  if (!hasApiProcesses(seams)) {
    const { startApiServer } = await import('./api-server.ts')
    const isHealthy = () => servesClients(health())
    const given = { certificates: identity, isHealthy, listener: null }
    await startApiServer({ ...seams, ...agent, ...given }, parts)
  }
  const { commands } = agent
  if (commands !== null) {
    const { answerCommands } = await import('./api-commands.ts')
    answerCommands({ ...seams, ...agent, commands }, parts)
  }
  await agent.listen()
  const started = parts.move()
  return {
    ...agent,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

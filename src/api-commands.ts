/** Clients' commands on the bus: what answers them on one host. */
import type { ApiParts } from './api/action.ts'
import { allActions } from './api/actions/all.ts'
import { serveCommands } from './api/commands/serve.ts'
import type { CommandQueue } from './bus/command-queue.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'

/** What commands are answered with. */
interface ApiCommandsParts {
  readonly commands: CommandQueue
  readonly calls: ApiParts
  readonly log: Log
  readonly metrics: Metrics
}

/** Answers commands on the bus from now on, until `parts` ends it. */
export function answerCommands(
  { commands, calls, log, metrics }: ApiCommandsParts,
  parts: AsyncDisposableStack,
): void {
  parts.defer(serveCommands({ commands, parts: calls, actions: allActions, log, metrics }))
}

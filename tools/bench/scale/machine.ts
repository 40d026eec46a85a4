/**
 * A simulated machine: it takes the want and reports the facts that the workloads service would
 * report. A start takes as long as a container's. Everything above it, from the agent to the
 * records, is the daemon's own.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { InstanceId } from '../../../src/model/ids.ts'
import type { Fact, InstanceWant } from '../../../src/model/want.ts'
import type { HostService, Pass } from '../../../src/services/service.ts'

/** Duration of a step: that of `docker create` and `start` (see `scripts/bench launch`). */
const START_MS = 250
const DIGEST = `sha256:${'0'.repeat(64)}`

/** The service. `wake` asks the agent for a pass when a start has ended, after `startMs`. */
export function createFakeMachine(wake: () => void, startMs = START_MS): HostService {
  const runs = new Map<InstanceId, { readonly bootCount: number; isUp: boolean }>()
  const ending = new AbortController()

  function start({ id, bootCount }: InstanceWant): void {
    const run = { bootCount, isUp: false }
    runs.set(id, run)
    delay(startMs, undefined, { signal: ending.signal, ref: false }).then(
      () => {
        run.isUp = true
        wake()
      },
      () => undefined,
    )
  }

  function factsOf(want: InstanceWant): readonly Fact[] {
    const { id: instance, bootCount } = want
    if (want.run === 'terminate') {
      runs.delete(instance)
      return [{ kind: 'gone', instance }]
    }
    if (want.run === 'stop') {
      runs.delete(instance)
      return [
        { kind: 'stopped', instance, bootCount, code: 'Client.UserInitiatedShutdown', message: '' },
      ]
    }
    if (!want.claimed) return [{ kind: 'ready', instance }]
    const run = runs.get(instance)
    if (run?.bootCount !== bootCount) start(want)
    return run?.isUp === true ? [{ kind: 'running', instance, bootCount: run.bootCount }] : []
  }

  return {
    name: 'workloads',
    gate: false,
    async apply({ want }: Pass) {
      const images = want.local.images.map(
        ({ id: image }): Fact => ({
          kind: 'image-available',
          image,
          digest: DIGEST,
          architecture: 'x86_64',
          diskGiB: null,
        }),
      )
      return [...images, ...want.local.instances.flatMap(factsOf)]
    },
    async close() {
      ending.abort()
    },
  }
}

/**
 * The Docker driver against the workload contract, with a real engine in a network namespace of its
 * own.
 */
import { describe, test } from 'vitest'
import { containerName } from '../../src/model/names.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { startDockerMachine } from '../kit/workloads.ts'
import { workloadsContract } from './workloads-contract.ts'

const PROGRAM = `
trap 'exit 0' TERM
echo ready
until [ -e /end ]; do sleep 0.05; done
exit 3
`

if (canRunDocker())
  workloadsContract('docker', async () => {
    const machine = await startDockerMachine()
    await machine.engine.makeImage('contract:1', { Cmd: ['/bin/sh', '-c', PROGRAM] })
    return {
      freshDriver: (clock) => machine.freshDriver(clock),
      async prepare(n) {
        const want = await machine.prepare(n, 'docker://contract:1')
        const found = await machine.settle(want.image)
        if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
        return { want, digest: found.digest }
      },
      dir: '',
      endExitCode: 3,
      loseLink: (want) => machine.loseLink(want),
      lose: (want) => machine.engine.docker.getContainer(containerName(want.id)).remove(),
      answers: (want) => machine.answers(want),
      answersArp: (want) => machine.answersArp(want),
      pidOf: (want) => machine.pidOf(want),
      inside: (want, command) => machine.inside(want, command),
      close: () => machine.close(),
    }
  })
else describe.skip('workload driver docker (needs root)', () => void test('skipped', () => {}))

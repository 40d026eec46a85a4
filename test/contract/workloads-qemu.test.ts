/** The QEMU driver against the workload contract: real machines, emulated, of the tiny guest. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, test } from 'vitest'
import { createMachineFiles } from '../../src/machines/files.ts'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { startQemuFixture } from '../kit/machines.ts'
import { workloadsContract } from './workloads-contract.ts'

/** An emulated guest that shares two processors with others. */
const EMULATED_DEADLINE_MS = 60_000

if (canRunMachines())
  workloadsContract(
    'qemu',
    async () => {
      const { kernelPath, initrdPath, location } = await tinyGuest()
      const ground = await startQemuFixture([dirname(kernelPath), dirname(initrdPath)])
      return {
        dir: '/data',
        endExitCode: 0,
        freshDriver: (clock) => ground.freshDriver(clock),
        async prepare(n) {
          const want = await ground.prepare(n, location)
          const found = await ground.settle(want.image)
          if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
          return { want, digest: found.digest }
        },
        loseLink: (want) => ground.loseLink(want),
        lose: (want) => rm(createMachineFiles(ground.stateDir).paths(want.id).disk),
        answers: (want) => ground.answers(want),
        answersArp: (want) => ground.answersArp(want),
        pidOf: (want) => ground.pidOf(want),
        inside: (want, command) => ground.inside(want, command),
        close: () => ground.close(),
      }
    },
    EMULATED_DEADLINE_MS,
  )
else
  describe.skip('workload driver qemu (needs root and QEMU)', () => void test('skipped', () => {}))

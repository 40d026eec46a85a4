/**
 * The driver of the test kit against the workload contract: a third driver needs nothing that the
 * first two have.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { GATEWAY_LINK, nicLinkName } from '../../src/model/names.ts'
import { instance } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns } from '../../tools/kit/netns.ts'
import { OPEN_RULES } from '../kit/open-rules.ts'
import { openProcesses, PROCESS } from '../kit/process-driver.ts'
import { lookAndPing } from '../kit/workload-machine.ts'
import { workloadsContract } from './workloads-contract.ts'

const MTU_BYTES = 1450
const SETTLE_MS = 30_000
const forever = new AbortController().signal
const PROGRAM = `#!/bin/sh
echo ready
until [ -e end ]; do sleep 0.05; done
exit 3
`

if (process.getuid?.() === 0) {
  workloadsContract('process', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'atoll-process-'))
    const netns = await createNetns('process')
    const leave = netns.enter()
    const host = createLinuxHost({ log: silentLog })
    const location = `process://${join(dir, 'program')}`
    await writeFile(join(dir, 'program'), PROGRAM)
    const open = (clock = systemClock) =>
      openProcesses({
        config: { stateDir: join(dir, 'state') },
        ...{ mtuBytes: MTU_BYTES, host, clock, log: silentLog },
      })
    const first = open()
    const looks = lookAndPing({ images: first.images, netns, host }, SETTLE_MS)
    const { settle, answers, answersArp } = looks
    return {
      freshDriver: (clock) => open(clock).driver,
      async prepare(n) {
        const image = { ...instance(n).image, location, driver: PROCESS.name }
        const want = instance(n, { image, driver: PROCESS.name })
        for (const nic of want.nics) {
          await host.ensureForwarding()
          await host.applyRules(OPEN_RULES)
          await host.ensureGateway(GATEWAY_LINK, [nic.gateway])
          await host.ensureNic(nicSpec(nic, MTU_BYTES, PROCESS.linkType))
        }
        const found = await settle(image)
        if (found.kind !== 'ready') throw new Error(`${location} is ${found.kind}`)
        return { want, digest: found.digest }
      },
      dir: '.',
      endExitCode: 3,
      answers,
      answersArp,
      async loseLink({ nics }) {
        for (const nic of nics) {
          await netns.must(['ip', 'link', 'delete', nicLinkName(nic.id)])
          await host.ensureNic(nicSpec(nic, MTU_BYTES, PROCESS.linkType))
        }
      },
      lose: ({ id }) => rm(join(dir, 'state/processes', id, 'disk'), { recursive: true }),
      async inside({ id }, command) {
        const terminal = await first.driver.attach(id, null)
        if (terminal === null) throw new Error(`${id} is not there`)
        let shown = ''
        terminal.output.on('data', (bytes: Buffer) => {
          shown += bytes.toString()
        })
        terminal.input.end(`${command}\n`)
        await terminal.end()
        return shown
      },
      async close() {
        for (const { instance: id } of await first.driver.list({ fresh: true, signal: forever }))
          await first.driver.remove(id, null)
        await host.close()
        leave()
        await netns.destroy()
        await rm(dir, { recursive: true, force: true })
      },
    }
  })
} else describe.skip('workload driver process (needs root)', () => void test('skipped', () => {}))

/**
 * A machine whose disk is in a pool of Ceph: it runs in its cell with librbd, and when its host is
 * lost while it lives on, the cluster refuses it, and another host goes on with what it had
 * written.
 *
 * QEMU loads librbd from /usr, where its packages have to be (qemu-block-extra).
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runState } from '../../src/machines/live/qmp-live.ts'
import { connectQmp } from '../../src/machines/qmp.ts'
import type { HostFence } from '../../src/model/storage.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type CephCluster, type CephFixture, startCeph } from '../kit/ceph.ts'
import { type QemuFixture, startQemuFixture } from '../kit/machines.ts'
import { hostName, numbered } from '../kit/records.ts'

const DEADLINE_MS = 120_000
const MONTH_MS = 30 * 24 * 3_600_000
/** What a guest has in its page cache is read again. */
const ANEW = 'echo 3 >/proc/sys/vm/drop_caches'
const MODULE = '/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so'
/** Of the instance. The gateway has the first address, and answers before any guest does. */
const NUMBER = 4
const volume = numbered('vol', 1)
const never = new AbortController().signal

describe.skipIf(!canRunMachines() || !existsSync(MODULE))(
  'a disk in a pool of Ceph',
  { timeout: 4 * DEADLINE_MS },
  () => {
    let cluster: CephCluster
    let fixture: CephFixture
    const hosts: QemuFixture[] = []

    beforeAll(async () => {
      cluster = await startCeph()
      fixture = await cluster.fixture()
    }, 600_000)
    afterAll(async () => {
      for (const host of hosts.toReversed()) await host.close()
      await cluster?.close()
    }, DEADLINE_MS)

    /** Another host, where the instance has a record. */
    async function begin(n: number, ran: boolean, fences: readonly HostFence[]) {
      const { kernelPath, initrdPath, location } = await tinyGuest()
      const pool = fixture.open({ list: async () => fences })
      const host = await startQemuFixture([dirname(kernelPath), dirname(initrdPath)], pool)
      hosts.push(host)
      const address = await cluster.join(host.netns, n)
      const disk = { volume, sizeGiB: 1, keep: false, storage: fixture.storage }
      const recover = { acknowledged: true, assignment: 'a' }
      const want = await host.prepare(NUMBER, location, { disk, ran, recover })
      const found = await host.settle(want.image)
      if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
      return { host, want, digest: found.digest, address }
    }

    const untilAnswers = (host: QemuFixture, want: InstanceWant) =>
      expect.poll(() => host.answers(want), { timeout: DEADLINE_MS }).toBe(true)

    const statusOf = async (host: QemuFixture, { id }: InstanceWant) => {
      const qmp = await connectQmp(join(host.runtimeDir, 'vm', id, 'qmp'), () => {})
      try {
        return await runState(qmp)
      } finally {
        qmp.close()
      }
    }

    it('goes on elsewhere, and what the one before writes then is lost', async () => {
      const { host, want, digest, address } = await begin(21, false, [])
      const first = host.freshDriver()
      await first.launch(want, digest, never)
      await untilAnswers(host, want)
      // It writes for as long as it can.
      const writing = 'while :; do printf first-writes >/dev/vda; sync; sleep 1; done'
      await host.inside(want, `(${writing}) & sleep 2`)
      const before = await host.pidOf(want)
      const fence = { storage: fixture.storage, address, id: 'takeover', isEnding: false }
      const next = await begin(22, true, [{ host: hostName('lost'), fence }])
      await next.host.freshDriver().launch(next.want, next.digest, never)
      await untilAnswers(next.host, next.want)
      const read = () => next.host.inside(next.want, `${ANEW}; head -c 12 /dev/vda`)
      expect(await read()).toContain('first-writes')
      await next.host.inside(next.want, 'printf second-write >/dev/vda; sync')
      // Its monitor serves one at a time.
      await first.close()
      const status = () => statusOf(host, want)
      await expect.poll(status, { timeout: DEADLINE_MS }).toBe('io-error')
      process.kill(before, 0)
      expect(await read()).toContain('second-write')
      // librbd has refused it for an hour when it took its lock, and has left what was there.
      const listed = await cluster.ceph('osd', 'blocklist', 'ls')
      const until = listed.split('\n').flatMap((line) => /^\S+:0\/\d+ (\S+)/.exec(line)?.[1] ?? [])
      expect(until.length).toBeGreaterThan(0)
      for (const one of until) expect(Date.parse(one) - Date.now()).toBeGreaterThan(MONTH_MS)
    })
  },
)

/**
 * Virtual machines whose disks are in a pool of Ceph, on three whole hosts with `fence.enabled`: a
 * host loses its power, or is cut off, and others start its machine with what it had written while
 * the cluster refuses that host. When it is back, it starts what is still its own.
 *
 * The cluster, a monitor and an OSD, is beside the hosts. These have Ceph's client and QEMU's part
 * of it in /usr.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { TagSpecification } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { FABRIC_BRIDGE } from '../../tools/lab/network.ts'
import { until } from '../../tools/lab/run.ts'
import { type CephCluster, startCeph } from '../kit/ceph.ts'
import { type DiskLab, openDiskLab } from '../kit/disk-lab.ts'

const UP_MS = 600_000
const PATIENCE_MS = 120_000
const SERVER = '10.0.0.90'
const MODULE = '/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so'
const hasClient = existsSync(MODULE) && existsSync('/usr/bin/rbd')
const ON_POOL: TagSpecification = {
  ResourceType: 'volume',
  Tags: [{ Key: 'atoll:storage', Value: 'ceph' }],
}
const RECOVER: TagSpecification = {
  ResourceType: 'instance',
  Tags: [{ Key: 'atoll:recover', Value: 'keep-disk' }],
}

describe.skipIf(!canRunMachines() || !hasClient)(
  'machines with disks in a pool of Ceph',
  { timeout: UP_MS },
  () => {
    let cluster: CephCluster
    let all: DiskLab
    /** One that others start again, and one that waits for its host. */
    let id = ''
    let own = ''

    beforeAll(async () => {
      cluster = await startCeph(SERVER)
      const { pool, user, conf, keyring } = await cluster.pool()
      all = await openDiskLab('recoverceph', { ceph: { pool, user } })
      await cluster.joinBridge(all.lab.layout.fabricNetns, FABRIC_BRIDGE)
      const [text, key] = await Promise.all([conf, keyring].map((file) => readFile(file, 'utf8')))
      for (const host of all.lab.hosts) {
        await host.must(['mkdir', '-p', '/etc/ceph'])
        await host.must(['tee', '/etc/ceph/ceph.conf'], { stdin: clientPart(text ?? '') })
        const file = `/etc/ceph/ceph.client.${user}.keyring`
        await host.must(['tee', file], { stdin: key ?? '' })
      }
      await all.atoll('h1', 'storage', 'init')
      await all.untilAllMayRun('h1')
    }, UP_MS)
    afterAll(async () => {
      await all?.close()
      await cluster?.close()
    }, 60_000)

    const on = (host: string) => all.lab.host(host)
    const read = (host: string, which: string) => all.inside(host, which, 'head -c 12 /dev/vda')
    const write = (host: string, which: string, what: string) =>
      all.inside(host, which, `printf ${what} >/dev/vda; sync`)
    const isRefused = async (host: string) =>
      (await cluster.ceph('osd', 'blocklist', 'ls')).includes(`${on(host).fabricAddress}:0/0`)

    /** Waits until the host is back, with its address refused no longer. */
    const untilReturned = (host: string) =>
      until(`${host} is refused no longer`, PATIENCE_MS, async () =>
        (await isRefused(host)) ? null : true,
      )

    /** `ip`: the instance's. Returns which host has it then. */
    async function measureRecovery(lost: string, ip: string, since: string): Promise<string> {
      const began = performance.now()
      // One that is cut off knows nothing of that, and has it still.
      const to = await until('another host has it', PATIENCE_MS, async () => {
        const others = (await all.homes(id)).filter((host) => host !== lost)
        return others[0] ?? null
      })
      await all.untilState(to, id, 'running')
      const runsMs = Math.round(performance.now() - began)
      await all.untilAnswers(to, ip)
      const tookMs = Math.round(performance.now() - began)
      process.stdout.write(`  runs ${runsMs} ms, answers ${tookMs} ms after ${since}\n`)
      expect(await isRefused(lost)).toBe(true)
      expect(await read(to, id)).toBe('0123456789ab')
      return to
    }

    it('run elsewhere with what they had written, after their host has lost its power', async () => {
      id = await all.launch('h1', [RECOVER, ON_POOL])
      await all.untilAcknowledged('h1', id)
      const [lost = ''] = await all.homes(id)
      await on(lost).must(['test', '-e', `/var/lib/atoll/machines/${id}/disk-place.json`])
      await write(lost, id, '0123456789ab')
      const { ip } = await all.look('h1', id)
      await on(lost).kill()
      const asked = await measureRecovery(lost, ip, 'the loss of power')
      expect(await all.atoll(asked, 'hosts')).toContain(`${lost}: rbd-`)
      await on(lost).start()
      await untilReturned(lost)
      await all.untilAllMayRun(asked)
      expect(await all.untilHome(id, (host) => host !== lost)).toBe(asked)
      expect(await all.atoll(asked, 'hosts')).not.toContain(`${lost}: rbd-`)
    })

    it('run elsewhere when their host is cut off, which later goes on with its own', async () => {
      const [lost = ''] = await all.homes(id)
      const others = all.lab.hosts.filter(({ name }) => name !== lost)
      for (const { name } of others) await all.atoll(name, 'drain', name)
      own = await all.launch(lost, [ON_POOL])
      for (const { name } of others) await all.atoll(name, 'undrain', name)
      expect(await all.homes(own)).toEqual([lost])
      await write(lost, own, 'abcdef012345')
      const { ip } = await all.look(lost, id)
      await on(lost).cut()
      const asked = await measureRecovery(lost, ip, 'the cut')
      await write(asked, id, 'ba9876543210')
      const before = await on(lost).must(['pgrep', '-f', own])
      await on(lost).heal()
      await untilReturned(lost)
      await all.untilAllMayRun(asked)
      await until('its own was ended and started again', PATIENCE_MS, async () => {
        const { stdout } = await on(lost).exec(['pgrep', '-f', `qemu.*${own}`])
        return stdout.trim() !== '' && !before.includes(stdout.trim()) ? true : null
      })
      expect(await read(lost, own)).toBe('abcdef012345')
      expect(await all.untilHome(id, (host) => host !== lost)).toBe(asked)
      expect(await read(asked, id)).toBe('ba9876543210')
    })
  },
)

/** Without what daemons of the cluster have there. */
function clientPart(conf: string): string {
  const lines = conf.split(/^\[(?:mon|osd)\]$/m)[0]?.split('\n') ?? []
  return lines.filter((line) => !/^(?:run_dir|log_file|\w+_dir) /.test(line)).join('\n')
}

/**
 * A virtual machine whose disk is on a shared directory, on three whole hosts with `fence.enabled`:
 * its host loses its power, and it runs on another one with what it had written. A move copies
 * nothing, a directory without its marker is not taken for the storage, and the end removes it.
 */
import {
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { until } from '../../tools/lab/run.ts'
import { type DiskLab, openDiskLab } from '../kit/disk-lab.ts'

const UP_MS = 400_000
const PATIENCE_MS = 120_000
/** All hosts of a lab have this directory of the machine. */
const SHARED = '/var/cache/shared'
const MARKER = `${SHARED}/atoll-storage.json`
const TAGS: RunInstancesCommandInput['TagSpecifications'] = [
  { ResourceType: 'instance', Tags: [{ Key: 'atoll:recover', Value: 'keep-disk' }] },
  { ResourceType: 'volume', Tags: [{ Key: 'atoll:storage', Value: 'shared' }] },
]

describe.skipIf(!canRunMachines())('a machine with a shared disk', { timeout: UP_MS }, () => {
  let all: DiskLab
  let id = ''
  let volume = ''

  const launch = () => all.on('h1').send(new RunInstancesCommand(all.order(TAGS)))
  const read = (host: string) => all.inside(host, id, 'head -c 12 /dev/vda')
  const disk = () => `${SHARED}/volumes/${volume}/disk.qcow2`
  const on = (host: string) => all.lab.host(host)

  beforeAll(async () => {
    all = await openDiskLab('recoverdisk', { shared: { path: SHARED } })
    await on('h1').must(['mkdir', '-p', SHARED])
    await expect(launch()).rejects.toThrow('storage.shared')
    await all.atoll('h1', 'storage', 'init')
    await all.untilAllMayRun('h1')
  }, UP_MS)
  afterAll(() => all?.close(), 60_000)

  it('runs elsewhere with what it had written, after its host has lost its power', async () => {
    id = await all.launch('h1', TAGS)
    volume = (await all.look('h1', id)).volume
    await all.untilAcknowledged('h1', id)
    const [lost = ''] = await all.homes(id)
    await on(lost).must(['test', '-s', disk()])
    await on(lost).must(['test', '!', '-e', `/var/lib/atoll/machines/${id}/disk.qcow2`])
    // QEMU holds it, whatever the records say.
    const asked = all.another(lost)
    await expect(on(asked).must(['qemu-img', 'info', disk()])).rejects.toThrow('lock')
    await all.inside(lost, id, 'printf 0123456789ab >/dev/vda; sync')
    await on(lost).kill()
    const began = performance.now()
    await all.untilHome(id, (host) => host !== lost)
    await all.untilState(asked, id, 'running')
    expect(await read(asked)).toBe('0123456789ab')
    const tookMs = performance.now() - began
    process.stdout.write(`  its shell answers ${Math.round(tookMs)} ms after the loss of power\n`)
    await on(lost).start()
    await all.untilAllMayRun(asked)
    await all.untilHome(id, (host) => host !== lost)
    expect(await read(lost)).toBe('0123456789ab')
  })

  it('moves without its disk', async () => {
    const [from = ''] = await all.homes(id)
    const to = all.another(from)
    const inode = await on(to).must(['stat', '-c', '%i', disk()])
    await all.atoll(from, 'move', id, '--to', to)
    await all.untilHome(id, (host) => host === to)
    await all.untilState(to, id, 'running')
    expect(await read(to)).toBe('0123456789ab')
    expect(await on(from).must(['stat', '-c', '%i', disk()])).toBe(inode)
  })

  it('is left alone while its directory is not the storage, and nothing new is put there', async () => {
    await on('h1').must(['mv', MARKER, `${MARKER}.away`])
    await all.untilHosts('h1', (hosts) => hosts.every(({ storage }) => storage === null))
    await expect(launch()).rejects.toThrow('storage.shared')
    expect(await read('h1')).toBe('0123456789ab')
    expect(await all.atoll('h1', 'doctor')).toContain('is not the storage of this cloud now')
    await on('h1').must(['mv', `${MARKER}.away`, MARKER])
    await all.untilAllMayRun('h1')
  })

  it('is gone with its disk when it is terminated', async () => {
    await all.on('h1').send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await all.untilState('h1', id, 'terminated')
    await until('its disk is gone', PATIENCE_MS, async () => {
      const { exitCode } = await on('h1').exec(['test', '!', '-e', `${SHARED}/volumes/${volume}`])
      return exitCode === 0 ? true : null
    })
    expect(await all.homes(id)).toEqual([])
  })
})

/**
 * A virtual machine whose disk is on a shared directory, on three whole hosts with `fence.enabled`:
 * its host loses its power, and it runs on another one with what it had written. A move copies
 * nothing, a directory without its marker is not taken for the storage, and the end removes it.
 */
import {
  DescribeInstancesCommand,
  type EC2Client,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientOf, labCredentials, listClient, machineImage } from '../../tools/drills/api.ts'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { createLab, destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { until } from '../../tools/lab/run.ts'

const NAME = 'recoverdisk'
const UP_MS = 400_000
const PATIENCE_MS = 120_000
/** All hosts of a lab have this directory of the machine. */
const SHARED = '/var/cache/shared'
const MARKER = `${SHARED}/atoll-storage.json`
const TAGS: RunInstancesCommandInput['TagSpecifications'] = [
  { ResourceType: 'instance', Tags: [{ Key: 'atoll:recover', Value: 'keep-disk' }] },
  { ResourceType: 'volume', Tags: [{ Key: 'atoll:storage', Value: 'shared' }] },
]

interface HostRow {
  readonly name: string
  readonly status: string
  readonly failoverMember: boolean
  readonly fenceLevel: string | null
  readonly storage: string | null
}

describe.skipIf(!canRunMachines())('a machine with a shared disk', { timeout: UP_MS }, () => {
  let lab: Lab
  let leave: () => void
  const clients = new Map<string, EC2Client>()
  let image = ''
  let id = ''
  let volume = ''

  beforeAll(async () => {
    await destroyLab(NAME)
    const config = { fence: { enabled: true }, storage: { shared: { path: SHARED } } }
    lab = await createLab({ name: NAME, config })
    await untilReady(lab)
    leave = lab.outside.enter()
    const credentials = await labCredentials(lab)
    const all = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    for (const [index, { name }] of lab.hosts.entries()) {
      const ec2 = all[index]?.ec2
      if (ec2 !== undefined) clients.set(name, ec2)
    }
    image = await machineImage(listClient(all, PATIENCE_MS), lab.hosts)
    await lab.host('h1').must(['mkdir', '-p', SHARED])
    await expect(on('h1').send(new RunInstancesCommand(order()))).rejects.toThrow('storage.shared')
    await atoll('h1', 'storage', 'init')
    await untilAllMayRun('h1')
  }, UP_MS)
  afterAll(async () => {
    leave?.()
    for (const ec2 of clients.values()) ec2.destroy()
    await destroyLab(NAME)
  }, 60_000)

  const order = (): RunInstancesCommandInput => ({
    ...{ ImageId: image, MinCount: 1, MaxCount: 1, TagSpecifications: TAGS },
  })

  function on(host: string): EC2Client {
    const ec2 = clients.get(host)
    if (ec2 === undefined) throw new Error(`no client of ${host}`)
    return ec2
  }

  const atoll = (host: string, ...args: readonly string[]) =>
    lab.host(host).must(['atoll', ...args], { timeoutMs: PATIENCE_MS })

  const another = (host: string) => lab.hosts.find(({ name }) => name !== host)?.name ?? ''

  async function untilHosts(asked: string, are: (hosts: readonly HostRow[]) => boolean) {
    await until('all hosts are so', PATIENCE_MS, async () => {
      const said = await lab.host(asked).exec(['atoll', 'hosts', '--json'], {
        timeoutMs: PATIENCE_MS,
      })
      return said.exitCode === 0 && are(JSON.parse(said.stdout)) ? true : null
    })
  }

  const untilAllMayRun = (asked: string) =>
    untilHosts(
      asked,
      (hosts) =>
        hosts.length === 3 &&
        hosts.every(
          ({ status, failoverMember, fenceLevel, storage }) =>
            status === 'active' && failoverMember && fenceLevel === 'muted' && storage !== null,
        ),
    )

  async function look(asked: string) {
    const { Reservations = [] } = await on(asked).send(
      new DescribeInstancesCommand({ InstanceIds: [id] }),
    )
    const { State, BlockDeviceMappings = [] } = Reservations[0]?.Instances?.[0] ?? {}
    return { state: State?.Name, volume: BlockDeviceMappings[0]?.Ebs?.VolumeId ?? '' }
  }

  const untilState = (asked: string, state: string) =>
    until(`it is ${state}`, PATIENCE_MS, async () =>
      (await look(asked)).state === state ? true : null,
    )

  async function untilAcknowledged(asked: string): Promise<void> {
    const sql = `SELECT recoverAcknowledged FROM atoll.instances WHERE id = '${id}'`
    await until('it may be taken over', PATIENCE_MS, async () => {
      const said = await lab.host(asked).exec(['mariadb', '-N', '-e', sql])
      return said.stdout.trim() === 'recover' ? true : null
    })
  }

  /** The hosts that have a machine of it, by what is written down on each. */
  async function homes(): Promise<readonly string[]> {
    const found: string[] = []
    for (const host of lab.hosts) {
      if (!(await host.isOn())) continue
      const { exitCode } = await host.exec(['test', '-e', `/var/lib/atoll/machines/${id}`])
      if (exitCode === 0) found.push(host.name)
    }
    return found
  }

  /** Types a command into its serial line, until the shell has answered. */
  async function inside(host: string, command: string): Promise<string> {
    const typed = `echo "be"gin; ${command}; echo; echo "en"d`
    return await until(`the guest ran ${command}`, PATIENCE_MS, async () => {
      const line = `{ echo; echo '${typed}'; sleep 3; } | atoll console ${id}`
      const { stdout } = await lab.host(host).exec(['sh', '-c', line], { timeoutMs: 30_000 })
      return /begin\s+([\s\S]*?)\s+end/.exec(stdout)?.[1]?.trim() ?? null
    })
  }

  const read = (host: string) => inside(host, 'head -c 12 /dev/vda')
  const disk = () => `${SHARED}/volumes/${volume}/disk.qcow2`

  it('runs elsewhere with what it had written, after its host has lost its power', async () => {
    const { Instances = [] } = await on('h1').send(new RunInstancesCommand(order()))
    id = Instances[0]?.InstanceId ?? ''
    await untilState('h1', 'running')
    volume = (await look('h1')).volume
    await untilAcknowledged('h1')
    const [lost = ''] = await homes()
    await lab.host(lost).must(['test', '-s', disk()])
    await lab.host(lost).must(['test', '!', '-e', `/var/lib/atoll/machines/${id}/disk.qcow2`])
    // QEMU holds it, whatever the records say.
    await expect(lab.host(another(lost)).must(['qemu-img', 'info', disk()])).rejects.toThrow('lock')
    await inside(lost, 'printf 0123456789ab >/dev/vda; sync')
    await lab.host(lost).kill()
    const began = performance.now()
    const asked = another(lost)
    await until('another host has it', PATIENCE_MS, async () =>
      (await homes()).some((host) => host !== lost) ? true : null,
    )
    await untilState(asked, 'running')
    expect(await read(asked)).toBe('0123456789ab')
    const tookMs = performance.now() - began
    process.stdout.write(`  its shell answers ${Math.round(tookMs)} ms after the loss of power\n`)
    await lab.host(lost).start()
    await untilAllMayRun(asked)
    await until('one host has it', PATIENCE_MS, async () => {
      const hosts = await homes()
      return hosts.length === 1 && hosts[0] !== lost ? true : null
    })
    expect(await read(lost)).toBe('0123456789ab')
  })

  it('moves without its disk', async () => {
    const [from = ''] = await homes()
    const to = another(from)
    const inode = await lab.host(to).must(['stat', '-c', '%i', disk()])
    await atoll(from, 'move', id, '--to', to)
    await until('it is there alone', PATIENCE_MS, async () =>
      (await homes()).join() === to ? true : null,
    )
    await untilState(to, 'running')
    expect(await read(to)).toBe('0123456789ab')
    expect(await lab.host(from).must(['stat', '-c', '%i', disk()])).toBe(inode)
  })

  it('is left alone while its directory is not the storage, and nothing new is put there', async () => {
    await lab.host('h1').must(['mv', MARKER, `${MARKER}.away`])
    await untilHosts('h1', (hosts) => hosts.every(({ storage }) => storage === null))
    await expect(on('h1').send(new RunInstancesCommand(order()))).rejects.toThrow('storage.shared')
    expect(await read('h1')).toBe('0123456789ab')
    expect(await atoll('h1', 'doctor')).toContain('is not the storage of this cloud now')
    await lab.host('h1').must(['mv', `${MARKER}.away`, MARKER])
    await untilAllMayRun('h1')
  })

  it('is gone with its disk when it is terminated', async () => {
    await on('h1').send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await untilState('h1', 'terminated')
    await until('its disk is gone', PATIENCE_MS, async () => {
      const { exitCode } = await lab
        .host('h1')
        .exec(['test', '!', '-e', `${SHARED}/volumes/${volume}`])
      return exitCode === 0 ? true : null
    })
    expect(await homes()).toEqual([])
  })
})

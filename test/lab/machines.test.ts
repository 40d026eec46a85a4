/**
 * Virtual machines beside containers, on one real host: the daemon, QEMU under emulation, the
 * kernel and unmodified clients. The guest is a kernel and a busybox; it uses the network and
 * metadata as any guest does.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DescribeImagesCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  GetConsoleOutputCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { machineName } from '../../src/model/names.ts'
import { MIB } from '../../src/model/sizes.ts'
import { type Cloud, createCloud, execute, OUTSIDE_ADDRESS } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { insideMachine } from '../kit/machines.ts'

/** An emulated guest on a busy machine. */
const DEADLINE_MS = 120_000
/** A test boots it more than once. */
const TEST_MS = 4 * DEADLINE_MS

describe.skipIf(!canRunMachines())('a virtual machine', { timeout: TEST_MS }, () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let machines: string[]
  let container: string

  async function addressOf(id: string): Promise<string> {
    return (await ask.look(id)).PrivateIpAddress ?? ''
  }

  /** Whether the container gets an answer from an instance's address. */
  async function answersContainer(id: string): Promise<boolean> {
    const ping = ['ping', '-c', '1', '-W', '1', await addressOf(id)]
    return (await cloud.inside(container, ping)).exitCode === 0
  }

  function inside(id: string, command: string): Promise<string> {
    return insideMachine(cloud, id, command)
  }

  /** The process of a machine, as anybody finds it. */
  async function processOf(id: string): Promise<number | undefined> {
    const name = machineName(join(cloud.dir, 'state/machines', id))
    for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (line.split('\0').includes(name)) return Number(pid)
    }
    return undefined
  }

  beforeAll(async () => {
    cloud = await createCloud(
      'machines',
      `qemu: {accel: tcg, stopSeconds: 60}\nnetwork: {reach: [${OUTSIDE_ADDRESS}/32]}\n`,
    )
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    const tiny = await ask.register('tiny', location)
    machines = [...(await ask.launch(tiny, { MinCount: 2, MaxCount: 2 }))]
    const sample = await ask.register('sample', 'docker://atoll-sample:static')
    container = (await ask.launch(sample))[0] ?? ''
    for (const id of [...machines, container]) await ask.untilState(id, 'running')
    for (const id of machines) await ask.untilItAnswers(id)
  }, 3 * DEADLINE_MS)
  afterAll(async () => {
    try {
      await leaveNothing()
    } finally {
      await cloud?.destroy()
    }
  })

  async function leaveNothing(): Promise<void> {
    if (machines === undefined) return
    await ask.terminate(...machines)
    // find(1) goes on where groups of other tests come and go meanwhile.
    const named = machines.flatMap((id) => ['-o', '-name', `*${id}`]).slice(1)
    expect((await execute('find', ['/sys/fs/cgroup', ...named])).stdout).toBe('')
  }

  it('has the address of the records, given by DHCP, and the MTU and name that go with it', async () => {
    for (const id of machines) {
      const shown = await inside(id, 'ip -4 address show dev eth0; hostname; cat /etc/resolv.conf')
      expect(shown).toContain(`inet ${await addressOf(id)}/20`)
      expect(shown).toContain('mtu 1500')
      expect(shown).toContain('search atoll.internal')
      expect(shown).toContain(id)
    }
  })

  it('reaches its group, of either kind, by name, and the outside through NAT', async () => {
    const [first = '', second = ''] = machines
    await eventually('it answers', () => answersContainer(second))
    for (const other of [second, container])
      expect(await inside(first, `ping -c 3 -W 2 ${other} >/dev/null && echo reached`)).toContain(
        'reached',
      )
    const outside = await inside(
      first,
      `ping -c 3 -W 2 ${OUTSIDE_ADDRESS} >/dev/null && echo reached`,
    )
    expect(outside).toContain('reached')
  })

  it('reads its own metadata, distinguished from others by its link', async () => {
    for (const id of machines) {
      const page = await inside(
        id,
        'wget -q -O - http://169.254.169.254/latest/meta-data/instance-id',
      )
      expect(page).toContain(id)
    }
  })

  it('gets a network interface while it runs that a container had, with its addresses', async () => {
    const [id = ''] = machines
    const { ec2 } = cloud
    const { SubnetId } = await ask.look(id)
    const { NetworkInterface: made = {} } = await ec2.send(
      new CreateNetworkInterfaceCommand({ SubnetId, SecondaryPrivateIpAddressCount: 1 }),
    )
    const { NetworkInterfaceId: eni = '', MacAddress: mac = '' } = made
    const ips = (made.PrivateIpAddresses ?? []).map((one) => one.PrivateIpAddress ?? '')
    const attachTo = async (instance: string) => {
      const place = { NetworkInterfaceId: eni, InstanceId: instance, DeviceIndex: 1 }
      return (await ec2.send(new AttachNetworkInterfaceCommand(place))).AttachmentId
    }
    const status = async () => {
      const asked = new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] })
      return (await ec2.send(asked)).NetworkInterfaces?.[0]?.Status
    }
    const detach = async (attachment: string | undefined) => {
      await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: attachment }))
      await eventually('it is detached', async () => (await status()) === 'available', DEADLINE_MS)
    }
    const answers = async (ip: string) =>
      (await execute('ping', ['-c', '1', '-W', '1', ip])).exitCode === 0
    const linksOf = async () => (await cloud.inside(container, ['ls', '/sys/class/net'])).stdout

    const first = await attachTo(container)
    for (const ip of ips) await eventually(`${ip} answers`, () => answers(ip), DEADLINE_MS)
    const shown = (await cloud.inside(container, ['ip', 'address', 'show', 'dev', 'eth1'])).stdout
    for (const ip of ips) expect(shown).toContain(`inet ${ip}/20`)
    expect(shown).toContain(mac)
    // From its own group, by the path of any other packet.
    const [ip = ''] = ips
    expect(await inside(id, `ping -c 3 -W 2 ${ip} >/dev/null && echo reached`)).toContain('reached')
    await detach(first)
    expect(await linksOf()).not.toContain('eth1')
    expect(await answers(ip)).toBe(false)

    const second = await attachTo(id)
    const sees = async () => (await inside(id, 'cat /sys/class/net/*/address')).includes(mac)
    await eventually('the guest sees it', sees, DEADLINE_MS)
    const set = ips.map(
      (one) => `ip address add ${one}/20 dev eth1; ip rule add from ${one} table 7`,
    )
    const way = 'ip route add default via 172.31.0.1 dev eth1 table 7'
    await inside(id, `ip link set eth1 up; ${set.join('; ')}; ${way}`)
    for (const each of ips) await eventually(`${each} answers`, () => answers(each), DEADLINE_MS)
    const macs = 'http://169.254.169.254/latest/meta-data/network/interfaces/macs/'
    expect(await inside(id, `wget -q -O - ${macs}${mac}/local-ipv4s`)).toContain(ips.at(-1))
    await cloud.stop('SIGKILL')
    await cloud.start()
    await ask.untilState(id, 'running')
    for (const each of ips) await eventually(`${each} answers`, () => answers(each), DEADLINE_MS)
    await detach(second)
    const isGone = async () => !(await sees())
    await eventually('the guest has released it', isGone, DEADLINE_MS)
    await ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: eni }))
    const left = (await cloud.netns.must(['ip', '-o', 'link'])).match(/at-h[0-9a-f]+/g) ?? []
    expect(left).toHaveLength(machines.length + 1)
  })

  it('loses a network interface by force while its QEMU is stopped, and the next owner has it alone', async () => {
    const [id = ''] = machines
    const { ec2 } = cloud
    const { SubnetId } = await ask.look(id)
    const { NetworkInterface: made = {} } = await ec2.send(
      new CreateNetworkInterfaceCommand({ SubnetId }),
    )
    const { NetworkInterfaceId: eni = '', MacAddress: mac = '', PrivateIpAddress: ip = '' } = made
    const attachTo = async (instance: string) => {
      const place = { NetworkInterfaceId: eni, InstanceId: instance, DeviceIndex: 1 }
      return (await ec2.send(new AttachNetworkInterfaceCommand(place))).AttachmentId
    }
    const look = async () => {
      const asked = new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] })
      return (await ec2.send(asked)).NetworkInterfaces?.[0]
    }
    const sees = async () => (await inside(id, 'cat /sys/class/net/*/address')).includes(mac)
    const answers = async () => (await execute('ping', ['-c', '1', '-W', '1', ip])).exitCode === 0
    const linksOf = async () => (await cloud.inside(container, ['ls', '/sys/class/net'])).stdout

    const attachment = await attachTo(id)
    await eventually('the guest sees it', sees, DEADLINE_MS)
    const qemu = (await processOf(id)) ?? 0
    process.kill(qemu, 'SIGSTOP')
    try {
      await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: attachment }))
      expect((await look())?.Attachment?.Status).toBe('detaching')
      await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: attachment, Force: true }))
      expect((await look())?.Status).toBe('available')
      const second = await attachTo(container)
      await eventually('the container answers there', answers, DEADLINE_MS)
      process.kill(qemu, 'SIGCONT')
      await eventually('the guest has released it', async () => !(await sees()), DEADLINE_MS)
      expect(await processOf(id)).toBe(qemu)
      await eventually('the container still answers there', answers, DEADLINE_MS)
      expect(await linksOf()).toContain('eth1')
      await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: second }))
      const isFree = async () => (await look())?.Status === 'available'
      await eventually('it is detached', isFree, DEADLINE_MS)
    } finally {
      await execute('kill', ['-CONT', `${qemu}`])
    }
    await ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: eni }))
    await eventually('the machine answers', () => answersContainer(id), DEADLINE_MS)
    const links = async () =>
      (await cloud.netns.must(['ip', '-o', 'link'])).match(/at-h[0-9a-f]+/g) ?? []
    const isAlone = async () => (await links()).length === machines.length + 1
    await eventually('nothing is left', isAlone, DEADLINE_MS)
  })

  it('runs as a user of its own, without rights, in a sandbox and outside of the groups of the daemon', async () => {
    const owners = new Set<string>()
    for (const id of machines) {
      const pid = await processOf(id)
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^CapEff:\s0+$/m)
      expect(status).toMatch(/^Seccomp:\s2$/m)
      owners.add(/^Uid:\s(\d+)/m.exec(status)?.[1] ?? '')
      expect(await readFile(`/proc/${pid}/cgroup`, 'utf8')).toContain(`atoll-machines/${id}`)
    }
    expect(owners.size).toBe(machines.length)
    expect(owners).not.toContain('0')
  })

  it('shows its console through the API', async () => {
    const [id = ''] = machines
    const { Output = '' } = await cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))
    const text = Buffer.from(Output, 'base64').toString()
    expect(text).toContain('ready')
  })

  it('its image is available, with the digest of what was fetched', async () => {
    const { Images = [] } = await cloud.ec2.send(new DescribeImagesCommand({}))
    expect(Images.find(({ Name }) => Name === 'tiny')?.State).toBe('available')
  })

  it('outlives the daemon, which finds it again', async () => {
    const [id = ''] = machines
    const pid = await processOf(id)
    expect(pid).toBeDefined()
    // Later, so that the command that begins it comes to its end.
    const says =
      '{ (sleep 5; yes "0123456789 atoll" | head -c 2300000 >/dev/ttyS0) </dev/null >/dev/null 2>&1 & }'
    await inside(id, says)
    await cloud.stop('SIGKILL')
    const console = join(cloud.dir, 'state/machines', id, 'console.log')
    await rm(`${console}.1`, { force: true })
    // The rest is copied before the file is cut.
    const isCut = async () =>
      (await stat(`${console}.1`).catch(() => null)) !== null &&
      (await stat(console)).size < 2 * MIB
    await eventually('what it says is kept within limits', isCut, DEADLINE_MS)
    expect(await execute('ping', ['-c', '3', '-i', '0.2', await fixedAddress(id)])).toMatchObject({
      exitCode: 0,
    })
    await cloud.start()
    await ask.untilState(id, 'running')
    expect(await processOf(id)).toBe(pid)
    await ask.untilItAnswers(id)
  })

  it('keeps disk and address over stop and start, and over a reboot', async () => {
    const [id = ''] = machines
    const address = await addressOf(id)
    await inside(id, 'echo kept > /data/kept')
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    expect(await processOf(id)).toBeUndefined()
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'running')
    expect(await addressOf(id)).toBe(address)
    await ask.untilItAnswers(id)
    expect(await inside(id, 'cat /data/kept')).toContain('kept')

    const pid = await processOf(id)
    await cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    const isRestarted = async () => ![pid, undefined].includes(await processOf(id))
    await eventually('it was restarted', isRestarted, DEADLINE_MS)
    await ask.untilItAnswers(id)
    expect(await inside(id, 'cat /data/kept')).toContain('kept')
  })

  it('that powers off by itself is stopped, and says why', async () => {
    const [, id = ''] = machines
    await inside(id, 'touch /data/end')
    await ask.untilState(id, 'stopped')
    expect((await ask.look(id)).StateReason?.Code).toBe('Client.InstanceInitiatedShutdown')
  })

  it('leaves nothing when it is terminated', async () => {
    const [id = ''] = machines
    await ask.terminate(id)
    expect(await processOf(id)).toBeUndefined()
    expect(await readdir(join(cloud.dir, 'state/machines'))).not.toContain(id)
    expect(await readdir(join(cloud.dir, 'run/vm'))).not.toContain(id)
  })

  /** An address while nobody answers the API. */
  async function fixedAddress(id: string): Promise<string> {
    const ledger = await readFile(join(cloud.dir, 'state/ledger.json'), 'utf8')
    return new RegExp(`"id":"${id}".*?"ip":"([0-9.]+)"`).exec(ledger)?.[1] ?? ''
  }
})

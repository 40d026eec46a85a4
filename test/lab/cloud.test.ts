/**
 * One host with the real daemon, engine and kernel, and unmodified clients: what a user does on the
 * first day, and what must survive when everything is killed.
 */
import { open } from 'node:fs/promises'
import { RegisterImageCommand, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Cloud,
  createCloud,
  execute,
  HOST_ADDRESS,
  isHealthyDaemon,
  OUTSIDE_ADDRESS,
  smallType,
} from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
const KINDS = ['latest', 'static'] as const
let cloud: Cloud
let ask: InstanceCalls
const images: Record<string, string> = {}

beforeAll(async () => {
  cloud = await createCloud('cloud', `network: {reach: [${OUTSIDE_ADDRESS}/32]}\n`)
  ask = instanceCalls(cloud.ec2, DEADLINE_MS)
  for (const tag of KINDS) images[tag] = await ask.register(tag, `docker://atoll-sample:${tag}`)
})
afterAll(async () => {
  await cloud?.destroy()
})

async function run(kind: (typeof KINDS)[number], name: string): Promise<string> {
  const [id = ''] = await ask.launch(images[kind] ?? '', {
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }],
  })
  return id
}

async function pings(address: string): Promise<boolean> {
  return (await execute('ping', ['-c', '1', '-W', '1', address])).exitCode === 0
}

async function getsOut(id: string): Promise<boolean> {
  return (await cloud.inside(id, ['ping', '-c', '1', '-W', '1', OUTSIDE_ADDRESS])).exitCode === 0
}

/** A page fetched in an instance by the image's own wget. */
async function fetched(id: string, url: string): Promise<string> {
  return (await cloud.inside(id, ['wget', '-q', '-O', '-', url])).stdout
}

describe('two instances', () => {
  const ids: Record<string, string> = {}
  beforeAll(async () => {
    for (const kind of KINDS) ids[kind] = await run(kind, `name-${kind}`)
    for (const kind of KINDS) await ask.untilState(ids[kind] ?? '', 'running')
  })
  afterAll(() => ask.terminate(...Object.values(ids)))

  it.each(KINDS)('%s: has its recorded address inside and answers there', async (kind) => {
    const id = ids[kind] ?? ''
    const { PrivateIpAddress: address = '' } = await ask.look(id)
    await eventually('it answers', () => pings(address), DEADLINE_MS)
    const inside = await cloud.inside(id, ['ip', '-4', 'address', 'show', 'dev', 'eth0'])
    expect(inside.stdout).toContain(`inet ${address}/20`)
    expect((await cloud.inside(id, ['hostname'])).stdout.trim()).toBe(id)
  })

  it.each(KINDS)('%s: has tags of ours that say how it is confined', async (kind) => {
    const held = async () => {
      const { Tags = [] } = await ask.look(ids[kind] ?? '')
      return Tags.filter(({ Key }) => Key?.startsWith('aws:atoll:')).map(({ Value }) => Value)
    }
    await eventually('they are there', async () => (await held()).length === 2, DEADLINE_MS)
    expect((await held()).toSorted()).toEqual(['user-namespace', 'watched'])
  })

  it.each(KINDS)('%s: resolves the other by id and by Name tag, and reaches it', async (kind) => {
    const other = kind === 'latest' ? 'static' : 'latest'
    const { PrivateIpAddress: address = '' } = await ask.look(ids[other] ?? '')
    for (const name of [ids[other], `name-${other}`]) {
      const found = await cloud.inside(ids[kind] ?? '', ['nslookup', `${name}.atoll.internal`])
      expect(found.stdout).toContain(`Address: ${address}`)
    }
    await eventually(
      'the page is served',
      async () => (await fetched(ids[kind] ?? '', `http://${address}/`)).includes('Atoll'),
      DEADLINE_MS,
    )
  })

  it('the reverse name of an address is the private DNS name that the API shows', async () => {
    const { PrivateIpAddress: address = '', PrivateDnsName: name } = await ask.look(
      ids['latest'] ?? '',
    )
    const found = await cloud.inside(ids['static'] ?? '', ['nslookup', address])
    expect(found.stdout).toContain(`name = ${name}`)
    expect(name).toBe(`${ids['latest']}.atoll.internal`)
  })

  it.each(KINDS)(
    '%s: reaches the outside with the address of the host, and is not reached from there',
    async (kind) => {
      const id = ids[kind] ?? ''
      const { PrivateIpAddress: address = '' } = await ask.look(id)
      let seen = ''
      const capture = cloud.outside.spawn(
        ['tcpdump', '-nn', '-l', '-i', 'eth0', 'icmp'],
        (text) => {
          seen += text
        },
      )
      await eventually(
        'the capture sees it',
        async () => {
          await cloud.inside(id, ['ping', '-c', '1', '-W', '1', OUTSIDE_ADDRESS])
          return seen.includes(`${HOST_ADDRESS} > ${OUTSIDE_ADDRESS}: ICMP echo request`)
        },
        DEADLINE_MS,
      )
      expect(seen).not.toContain(`${address} > `)
      capture.kill()
      await cloud.outside.must(['ip', 'route', 'replace', '172.31.0.0/16', 'via', HOST_ADDRESS])
      const back = await cloud.outside.run(['ping', '-c', '1', '-W', '1', address])
      expect(back.exitCode).not.toBe(0)
    },
  )

  it.each(KINDS)('%s: sees its own metadata and nothing else', async (kind) => {
    const id = ids[kind] ?? ''
    expect(await fetched(id, 'http://169.254.169.254/latest/meta-data/instance-id')).toBe(id)
    expect(await fetched(id, 'http://169.254.169.254/latest/meta-data/local-ipv4')).toBe(
      (await ask.look(id)).PrivateIpAddress,
    )
  })

  it('has console output', async () => {
    const output = await cloud.aws(
      'ec2',
      'get-console-output',
      '--instance-id',
      ids['latest'] ?? '',
      '--output',
      'text',
      '--query',
      'Output',
    )
    expect(output.stderr).toBe('')
    expect(output.stdout).toMatch(/udhcpc|lease/i)
  })
})

describe('unmodified awscli', () => {
  it('runs, waits, stops, starts, reboots and terminates; disk and address are kept', async () => {
    const aws = async (...args: readonly string[]) => {
      const ran = await cloud.aws(...args, '--output', 'text')
      expect(ran.stderr).toBe('')
      return ran.stdout.trim()
    }
    const id = await aws(
      'ec2',
      'run-instances',
      '--image-id',
      images['static'] ?? '',
      '--instance-type',
      smallType,
      '--query',
      'Instances[0].InstanceId',
    )
    await aws('ec2', 'wait', 'instance-running', '--instance-ids', id)
    await aws('ec2', 'wait', 'instance-status-ok', '--instance-ids', id)
    const address = (await ask.look(id)).PrivateIpAddress ?? ''
    await eventually('it answers', () => pings(address), DEADLINE_MS)
    await cloud.inside(id, ['touch', '/kept'])

    // A network namespace lives as long as somebody has it open, and answers pings.
    const { State } = await cloud.docker.docker.getContainer(`atoll-${id}`).inspect()
    const namespace = await open(`/proc/${State.Pid}/ns/net`)
    await aws('ec2', 'stop-instances', '--instance-ids', id)
    await aws('ec2', 'wait', 'instance-stopped', '--instance-ids', id)
    expect(await pings(address)).toBe(false)
    await namespace.close()
    await aws('ec2', 'start-instances', '--instance-ids', id)
    await aws('ec2', 'wait', 'instance-running', '--instance-ids', id)
    await eventually('it answers again', () => pings(address), DEADLINE_MS)
    expect((await cloud.inside(id, ['ls', '/kept'])).exitCode).toBe(0)

    const boot = async () => (await cloud.inside(id, ['cat', '/proc/1/stat'])).stdout.split(' ')[21]
    const before = await boot()
    await aws('ec2', 'reboot-instances', '--instance-ids', id)
    await eventually(
      'it was rebooted',
      async () => ![before, undefined].includes(await boot()),
      DEADLINE_MS,
    )
    await eventually('it answers after the reboot', () => pings(address), DEADLINE_MS)
    expect((await ask.look(id)).PrivateIpAddress).toBe(address)

    await aws('ec2', 'terminate-instances', '--instance-ids', id)
    await aws('ec2', 'wait', 'instance-terminated', '--instance-ids', id)
    expect((await ask.look(id)).PrivateIpAddress).toBeUndefined()
  })

  it.each([
    ['a missing image', 'docker://no-such-image:nowhere', /no-such-image/],
    ['a missing archive', 'file:///nowhere/rootfs.tar.gz', /nowhere/],
  ])('%s ends in terminated with a reason', async (_what, location, reason) => {
    const { ImageId = '' } = await cloud.ec2.send(
      new RegisterImageCommand({
        Name: location.replaceAll(/[^a-z]/g, '-'),
        ImageLocation: location,
      }),
    )
    const { Instances: [instance] = [] } = await cloud.ec2.send(
      new RunInstancesCommand({ ImageId, InstanceType: smallType, MinCount: 1, MaxCount: 1 }),
    )
    await ask.untilState(instance?.InstanceId ?? '', 'terminated')
    expect((await ask.look(instance?.InstanceId ?? '')).StateReason?.Message).toMatch(reason)
    await eventually('nothing is left', async () => (await leftovers()).length === 0)
  })
})

/** What is left on the machine of instances: links, containers, directories. */
async function leftovers(): Promise<readonly string[]> {
  const links = (await cloud.netns.must(['ip', '-o', 'link'])).match(/at-[hg][0-9a-f]+/g) ?? []
  const containers = (await cloud.docker.docker.listContainers({ all: true })).flatMap(
    ({ Names }) => Names,
  )
  const directories = (await execute('ls', [`${cloud.dir}/state/instances`])).stdout
    .split('\n')
    .filter((line) => line !== '')
  return [...links, ...containers, ...directories]
}

describe('failures', () => {
  let id: string
  let address: string
  beforeAll(async () => {
    id = await run('latest', 'survivor')
    await ask.untilState(id, 'running')
    address = (await ask.look(id)).PrivateIpAddress ?? ''
    await eventually('it answers', () => pings(address), DEADLINE_MS)
  })
  afterAll(async () => {
    await ask.terminate(id)
    await eventually('nothing is left', async () => (await leftovers()).length === 0)
  })

  /** Pings all the while and says how many got no answer. */
  async function lostWhile(work: () => Promise<void>): Promise<number> {
    let said = ''
    const pinger = cloud.netns.spawn(['ping', '-n', '-i', '0.05', address], (text) => {
      said += text
    })
    await eventually('pinging', () => said.includes('icmp_seq=2'))
    await work()
    pinger.kill('SIGINT')
    await eventually('the count', () => said.includes('packet loss'))
    const [, sent = '0', received = '0'] =
      /(\d+) packets transmitted, (\d+) received/.exec(said) ?? []
    return Number(sent) - Number(received)
  }

  it('the daemon is killed and started again: no packet is lost, DHCP and DNS come back', async () => {
    const lost = await lostWhile(async () => {
      await cloud.stop('SIGKILL')
      await cloud.start()
    })
    expect(lost).toBeLessThanOrEqual(1)
    expect((await cloud.inside(id, ['nslookup', 'survivor.atoll.internal'])).stdout).toContain(
      address,
    )
    expect(
      (await cloud.inside(id, ['udhcpc', '-i', 'eth0', '-n', '-q', '-s', '/bin/true'])).stderr,
    ).toContain(`lease of ${address} obtained`)
  })

  it('without the daemon traffic goes on, and a stranger gets nothing', async () => {
    await cloud.stop('SIGTERM')
    try {
      await eventually('it answers', () => pings(address))
      await eventually('it gets out', () => getsOut(id))
      await cloud.netns.must([
        'ip',
        'link',
        'add',
        'at-hffffffffff0',
        'type',
        'veth',
        'peer',
        'name',
        'at-gffffffffff0',
      ])
    } finally {
      await cloud.start()
    }
    await eventually(
      'the stranger is removed',
      async () => (await cloud.netns.run(['ip', 'link', 'show', 'at-hffffffffff0'])).exitCode !== 0,
      DEADLINE_MS,
    )
  })

  it('the container is killed or restarted from outside: it comes back with its address', async () => {
    const docker = (...args: readonly string[]) =>
      execute('/usr/bin/docker', ['--host', `unix://${cloud.docker.socketPath}`, ...args])
    for (const verb of [['kill'], ['restart', '-t', '0']]) {
      await docker(...verb, `atoll-${id}`)
      await eventually(`it answers after ${verb.join(' ')}`, () => pings(address), DEADLINE_MS)
    }
    await ask.untilState(id, 'running')
  })

  it('rules, links and routes are taken away: the next resync puts them back', async () => {
    await cloud.netns.must(['nft', 'flush', 'ruleset'])
    await cloud.netns.must(['ip', 'link', 'delete', 'at-gw'])
    await cloud.netns.must(['ip', 'route', 'flush', 'proto', '167'])
    await cloud.stop('SIGKILL')
    await cloud.start()
    await eventually('it answers', () => pings(address), DEADLINE_MS)
    const asked = () => cloud.inside(id, ['nslookup', 'survivor.atoll.internal'])
    const isNamed = async () => (await asked()).stdout.includes(address)
    await eventually('its name is known', isNamed, DEADLINE_MS)
    await eventually('it gets out', () => getsOut(id))
  })

  it('the whole machine dies: instances come back by themselves', async () => {
    await cloud.inside(id, ['touch', '/kept'])
    await cloud.stop('SIGKILL')
    await cloud.docker.kill()
    await cloud.netns.must(['nft', 'flush', 'ruleset'])
    for (const link of (await cloud.netns.must(['ip', '-o', 'link'])).match(
      /at-[a-z0-9-]+(?=[:@])/g,
    ) ?? [])
      await cloud.netns.run(['ip', 'link', 'delete', link])
    await cloud.docker.start()
    await cloud.start()
    await eventually('it answers', () => pings(address), DEADLINE_MS)
    await ask.untilState(id, 'running')
    expect((await cloud.inside(id, ['ls', '/kept'])).exitCode).toBe(0)
  })
})

it('the command shows the same as the API', async () => {
  const status = await cloud.atoll('status', '--json')
  expect(JSON.parse(status.stdout)).toMatchObject({ host: 'cloud', healthy: true })
  const hosts = await cloud.atoll('hosts', '--json')
  expect(JSON.parse(hosts.stdout)).toMatchObject([
    { name: 'cloud', state: 'active', usedVcpus: 0, usedMemoryMiB: 0 },
  ])
  expect((await cloud.atoll('env')).stdout).toContain(
    `export AWS_ACCESS_KEY_ID=${cloud.credentials.accessKeyId}`,
  )
  expect((await cloud.atoll('instances')).stdout).toMatch(/^INSTANCE +NAME +STATE/)
  expect((await cloud.atoll('audit')).stdout).toMatch(/ admin +RegisterImage +127\.0\.0\.1 +OK/)
  await cloud.atoll('drain', 'cloud')
  await cloud.atoll('undrain', 'cloud')
  const orders = async () => (await cloud.atoll('audit', '--account', 'operator')).stdout
  await eventually('orders are recorded', async () => /hosts undrain/.test(await orders()))
  expect(await isHealthyDaemon()).toBe(true)
})

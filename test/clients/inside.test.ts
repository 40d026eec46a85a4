/**
 * What runs inside of instances and asks the metadata service: the AWS SDK's client for it and
 * boto3's, in the network of a container, and Debian's cloud-init in a virtual machine.
 */
import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateKeyPairCommand, ModifyInstanceMetadataOptionsCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { execute } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'
import { debianImage } from '../kit/debian-image.ts'

const ASK_METADATA = join(import.meta.dirname, 'ask-metadata.ts')
const BOOT_MS = 900_000
const BOTO_PROGRAM = `
import json
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher
region = InstanceMetadataRegionFetcher(timeout=5).retrieve_region()
keys = InstanceMetadataFetcher(timeout=5, num_attempts=1).retrieve_iam_role_credentials()
print(json.dumps([region, keys]))`

let at: ClientCloud
let disk: string | null
beforeAll(async () => {
  disk = canRunMachines() ? await debianImage() : null
  at = await openClientCloud('inside', 'qemu: {accel: tcg, stopSeconds: 300}\n')
}, BOOT_MS)
afterAll(() => at?.[Symbol.asyncDispose]())

/** A running container, and a function that runs a program in its network. */
async function container(tokens: 'required' | 'optional') {
  const [id = ''] = await at.calls.launch(at.image, { MetadataOptions: { HttpTokens: tokens } })
  await at.calls.untilState(id, 'running')
  const within = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await at.within(id, program, args)
    if (exitCode !== 0) throw new Error(stderr)
    return stdout
  }
  const ask = async (settings: object, ...paths: readonly string[]): Promise<unknown> =>
    JSON.parse(await within(process.execPath, ASK_METADATA, JSON.stringify(settings), ...paths))
  return { id, ask, within }
}

describe('in a container', () => {
  const report = reportOf(
    '@aws-sdk/ec2-metadata-service',
    async () => '3.1164.0 (npm)',
    'In the network of a container.',
  )

  report.passes('reads with a token, with which it begins', async () => {
    const { id, ask } = await container('required')
    const instance = await at.calls.look(id)
    const paths = ['instance-id', 'local-ipv4', 'ami-id', 'placement/availability-zone', 'mac']
    const said = await ask({}, ...paths.map((path) => `/latest/meta-data/${path}`))
    const mac = instance.NetworkInterfaces?.[0]?.MacAddress
    expect(said).toEqual([id, instance.PrivateIpAddress, at.image, 'atoll-1a', mac])
    const document = (await ask({}, '/latest/dynamic/instance-identity/document')) as [string]
    expect(JSON.parse(document[0])).toMatchObject({ instanceId: id, imageId: at.image })
  })

  report.passes('reads without a token only where that is allowed', async () => {
    const without = { disableFetchToken: true }
    const refused = await container('required')
    const [said] = (await refused.ask(without, '/latest/meta-data/instance-id')) as [object]
    expect(said).toMatchObject({ error: expect.stringMatching(/401|failed/i) })
    const allowed = await container('optional')
    expect(await allowed.ask(without, '/latest/meta-data/instance-id')).toEqual([allowed.id])
  })

  report.passes('is refused when the service is switched off, and answered again', async () => {
    const { id, ask } = await container('required')
    const set = (HttpEndpoint: 'enabled' | 'disabled') =>
      at.cloud.ec2.send(new ModifyInstanceMetadataOptionsCommand({ InstanceId: id, HttpEndpoint }))
    const asks = async () => {
      const [said] = (await ask({}, '/latest/meta-data/instance-id')) as [unknown]
      return said === id
    }
    await set('disabled')
    await eventually('it is refused', async () => !(await asks()), 30_000)
    await set('enabled')
    await eventually('it is answered', asks, 30_000)
  })
})

describe('in another container', () => {
  const report = reportOf(
    'botocore inside of instances',
    () => debianVersion('python3-botocore'),
    'In the network of a container.',
  )

  report.passes('reads the region, and no credentials where there is no role', async () => {
    const { within } = await container('required')
    expect(JSON.parse(await within('/usr/bin/python3', '-c', BOTO_PROGRAM))).toEqual([
      at.cloud.credentials.region,
      {},
    ])
  })
})

describe('in a third container', () => {
  const report = reportOf(
    'ec2metadata of cloud-utils',
    () => debianVersion('cloud-guest-utils'),
    'In the network of a container.',
  )

  report.passes('shows all that it knows', async () => {
    const { id, within } = await container('required')
    const instance = await at.calls.look(id)
    const said = await within('/usr/bin/ec2metadata')
    const shown = Object.fromEntries(
      said.split('\n').map((line) => /^([\w-]+): ?(.*)$/.exec(line)?.slice(1, 3) ?? ['', '']),
    )
    expect(shown).toMatchObject({
      ...{ 'ami-id': at.image, 'instance-id': id, 'instance-type': instance.InstanceType },
      ...{ 'availability-zone': 'atoll-1a', region: at.cloud.credentials.region },
      ...{ 'local-ipv4': instance.PrivateIpAddress, 'security-groups': 'default' },
      ...{ mac: instance.NetworkInterfaces?.[0]?.MacAddress, 'ami-launch-index': '0' },
    })
  })
})

describe.skipIf(!canRunMachines())('in a virtual machine (skipped without QEMU)', () => {
  const report = reportOf(
    'cloud-init',
    async () => '22.4.2 (Debian 12)',
    'In a Debian 12 virtual machine of `scripts/make-image`, under emulation. `test/lab/debian.test.ts` has more.',
  )

  report.passes(
    'finds its data source, and sets key, name and user data',
    async () => {
      const path = join(at.cloud.dir, 'state/images/debian.qcow2')
      await copyFile(disk ?? '', path)
      const image = await at.calls.register('debian', `file://${path}`)
      const pair = new CreateKeyPairCommand({ KeyName: 'mine', KeyType: 'ed25519' })
      const { KeyMaterial = '' } = await at.cloud.ec2.send(pair)
      const key = join(at.cloud.dir, 'mine')
      await writeFile(key, KeyMaterial)
      await chmod(key, 0o600)
      const data = '#cloud-config\nwrite_files: [{path: /run/written, content: here}]\n'
      const UserData = Buffer.from(data).toString('base64')
      const [id = ''] = await at.calls.launch(image, { KeyName: 'mine', UserData })
      const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
      const ssh = async (command: string) => {
        const { PrivateIpAddress: address = '' } = await at.calls.look(id)
        const flags = [...options, 'ConnectTimeout=10'].flatMap((one) => ['-o', one])
        const args = ['-i', key, ...flags, `debian@${address}`, command]
        return await execute('ssh', args, { timeoutMs: BOOT_MS })
      }
      await eventually('SSH', async () => (await ssh('true')).exitCode === 0, BOOT_MS)
      const status = await ssh('cloud-init status --wait --long')
      expect(status.stdout).toContain('status: done')
      expect(status.stdout).toContain('DataSourceEc2')
      expect((await ssh('cat /run/written')).stdout).toBe('here')
      expect((await ssh('hostname')).stdout.trim()).toBe(id)
      const known = await ssh('cloud-init query ds.meta_data.instance_id')
      expect(known.stdout.trim()).toBe(id)
    },
    2 * BOOT_MS,
  )
})

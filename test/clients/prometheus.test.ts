/**
 * Prometheus and VictoriaMetrics as Debian packages them: their discovery of EC2 instances
 * (`ec2_sd_configs`). The former has the AWS SDK for Go, the latter a client of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { eventually } from '../../tools/kit/netns.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'

const DEADLINE_MS = 120_000
const LISTEN = '127.0.0.1:9090'
const NAMED = [
  { name: 'tag:Name', values: ['web'] },
  { name: 'instance-state-name', values: ['running'] },
]

type Labels = Readonly<Record<string, string>>

/** What was discovered for a job. */
async function discovered(job: string): Promise<readonly Labels[]> {
  const answer = await fetch(`http://${LISTEN}/api/v1/targets`).catch(() => null)
  if (answer?.ok !== true) return []
  const { data } = (await answer.json()) as {
    data: { activeTargets: readonly { scrapePool: string; discoveredLabels: Labels }[] }
  }
  return data.activeTargets
    .filter(({ scrapePool }) => scrapePool === job)
    .map(({ discoveredLabels }) => discoveredLabels)
}

describe.each<{
  readonly client: string
  readonly debian: string
  /** Its arguments for a configuration and a directory for its data. */
  readonly args: (config: string, data: string) => readonly string[]
  /** Further settings of a discovery. */
  readonly more: object
}>([
  {
    client: 'Prometheus',
    debian: 'prometheus',
    args: (config, data) => [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${LISTEN}`,
    ],
    more: { refresh_interval: '1s' },
  },
  {
    client: 'VictoriaMetrics',
    debian: 'victoria-metrics',
    args: (config, data) => [
      `-promscrape.config=${config}`,
      `-storageDataPath=${data}`,
      `-httpListenAddr=${LISTEN}`,
      '-promscrape.ec2SDCheckInterval=1s',
    ],
    more: {},
  },
])('$client', ({ client, debian, args, more }) => {
  const report = reportOf(
    client,
    () => debianVersion(debian),
    'Discovery of instances with `ec2_sd_configs`, all and by filters.',
  )

  let at: ClientCloud
  let program: ChildProcess
  let ids: readonly string[]
  beforeAll(async () => {
    at = await openClientCloud(debian)
    ids = await at.calls.launch(at.image, {
      ...{ MinCount: 2, MaxCount: 2 },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
    })
    await at.calls.launch(at.image)
    const { endpoint, region, accessKeyId, secretAccessKey } = at.cloud.credentials
    const place = { endpoint, region, access_key: accessKeyId, secret_key: secretAccessKey }
    const discovery = { ...place, ...more, port: 80 }
    const config = {
      scrape_configs: [
        { job_name: 'all', ec2_sd_configs: [discovery] },
        { job_name: 'web', ec2_sd_configs: [{ ...discovery, filters: NAMED }] },
      ],
    }
    const file = join(at.cloud.dir, 'discovery.yml')
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config))
    program = spawn(debian, args(file, join(at.cloud.dir, 'data')), {
      env: at.env,
      stdio: 'ignore',
    })
  })
  afterAll(async () => {
    if (program?.exitCode === null) {
      const ended = once(program, 'exit')
      program.kill('SIGKILL')
      await ended
    }
    await at?.[Symbol.asyncDispose]()
  })

  report.passes('finds every instance', () =>
    eventually('three targets', async () => (await discovered('all')).length === 3, DEADLINE_MS),
  )

  report.passes('finds those that filters name, with all labels', async () => {
    await eventually('two targets', async () => (await discovered('web')).length === 2, DEADLINE_MS)
    const found = await discovered('web')
    expect(found.map((labels) => labels['__meta_ec2_instance_id']).toSorted()).toEqual(
      [...ids].toSorted(),
    )
    const [labels = {}] = found
    const instance = await at.calls.look(labels['__meta_ec2_instance_id'] ?? '')
    expect(labels).toMatchObject({
      __address__: `${instance.PrivateIpAddress}:80`,
      __meta_ec2_ami: at.image,
      __meta_ec2_architecture: 'x86_64',
      __meta_ec2_availability_zone: 'atoll-1a',
      __meta_ec2_availability_zone_id: expect.stringMatching(/-az1$/),
      __meta_ec2_instance_state: 'running',
      __meta_ec2_instance_type: instance.InstanceType,
      __meta_ec2_owner_id: expect.stringMatching(/^\d{12}$/),
      __meta_ec2_primary_subnet_id: instance.SubnetId,
      __meta_ec2_private_dns_name: instance.PrivateDnsName,
      __meta_ec2_private_ip: instance.PrivateIpAddress,
      __meta_ec2_subnet_id: `,${instance.SubnetId},`,
      __meta_ec2_tag_Name: 'web',
      __meta_ec2_vpc_id: instance.VpcId,
    })
  })

  report.passes('drops one that ended', async () => {
    await at.calls.terminate(ids[0] ?? '')
    await eventually('one target', async () => (await discovered('web')).length === 1, DEADLINE_MS)
  })
})

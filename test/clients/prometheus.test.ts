/** Prometheus as Debian packages it: its discovery of EC2 instances (`ec2_sd_configs`). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { eventually } from '../../tools/kit/netns.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'

const DEADLINE_MS = 120_000
const LISTEN = '127.0.0.1:9090'

const report = reportOf(
  'Prometheus',
  () => debianVersion('prometheus'),
  'Discovery of instances with `ec2_sd_configs`, all and by filters.',
)

let at: ClientCloud
let prometheus: ChildProcess
let ids: readonly string[]
beforeAll(async () => {
  at = await openClientCloud('prometheus')
  ids = await at.calls.launch(at.image, {
    ...{ MinCount: 2, MaxCount: 2 },
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
  })
  await at.calls.launch(at.image)
  const { endpoint, region, accessKeyId, secretAccessKey } = at.cloud.credentials
  const place = { endpoint, region, access_key: accessKeyId, secret_key: secretAccessKey }
  const discovery = { ...place, refresh_interval: '1s', port: 80 }
  const filters = [
    { name: 'tag:Name', values: ['web'] },
    { name: 'instance-state-name', values: ['running'] },
  ]
  const config = {
    scrape_configs: [
      { job_name: 'all', ec2_sd_configs: [discovery] },
      { job_name: 'web', ec2_sd_configs: [{ ...discovery, filters }] },
    ],
  }
  const file = join(at.cloud.dir, 'prometheus.yml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config))
  const data = `--storage.tsdb.path=${join(at.cloud.dir, 'prometheus')}`
  const args = [`--config.file=${file}`, data, `--web.listen-address=${LISTEN}`]
  prometheus = spawn('prometheus', args, { env: at.env, stdio: 'ignore' })
})
afterAll(async () => {
  if (prometheus?.exitCode === null) {
    const ended = once(prometheus, 'exit')
    prometheus.kill('SIGKILL')
    await ended
  }
  await at?.[Symbol.asyncDispose]()
})

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

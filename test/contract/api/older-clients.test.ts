/**
 * Clients that build their requests by hand, as Debian has them: Apache Libcloud (Python) and
 * fog-aws (Ruby), through the life of an instance.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { actAsAgent } from '../../kit/acting-agent.ts'
import { KEY, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3'
const LIBCLOUD = '/usr/lib/python3/dist-packages/libcloud'
const RUBY = '/usr/bin/ruby'
const FOG = '/usr/share/doc/ruby-fog-aws'
/** An interpreter that loads a large library on a busy machine. */
const TIMEOUT_MS = 120_000

let cloud: Cloud
let api: RunningApi
let agent: Disposable
beforeAll(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 1000, memoryMiB: 1_000_000 }] })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  const parts = { ...cloud.parts, clock: { ...cloud.parts.clock, now: () => Date.now() } }
  api = await runApi(allActions, { parts })
  agent = actAsAgent(cloud.store)
})
afterAll(async () => {
  agent[Symbol.dispose]()
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

async function runProgram(program: string, args: readonly string[]): Promise<unknown> {
  const given = [api.port, KEY.id, KEY.secret, cloud.image].map(String)
  const { stdout } = await run(program, [...args, ...given], {
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: '/nonexistent' },
  })
  return JSON.parse(stdout)
}

describe.skipIf(!existsSync(LIBCLOUD))('Libcloud (skipped without python3-libcloud)', () => {
  it('launches, tags, stops, starts and ends an instance', { timeout: TIMEOUT_MS }, async () => {
    const program = `
import json, sys, time
from libcloud.compute.drivers.ec2 import EC2NodeDriver
port, key, secret, image_id = sys.argv[1:]
ec2 = EC2NodeDriver(key, secret, secure=False, host='127.0.0.1', port=int(port), region='us-east-1', signature_version='4')
image = ec2.get_image(image_id)
size = [s for s in ec2.list_sizes() if s.id == 't3.micro'][0]
pair = ec2.create_key_pair('libcloud')
node = ec2.create_node(name='lc', size=size, image=image, ex_keyname='libcloud', ex_metadata={'a': 'b'})
def state(wanted):
    deadline = time.time() + 60
    while time.time() < deadline:
        [one] = ec2.list_nodes(ex_node_ids=[node.id])
        if one.state == wanted: return one
        time.sleep(0.1)
    raise SystemExit('never ' + wanted)
state('running')
stopped = ec2.stop_node(node)
state('stopped')
started = ec2.start_node(node)
one = state('running')
tags = ec2.ex_describe_tags(one)
ended = ec2.destroy_node(node)
state('terminated')
deleted = ec2.delete_key_pair(pair)
print(json.dumps([stopped, started, ended, deleted, one.name, tags, one.extra['key_name']]))`
    expect(await runProgram(PYTHON, ['-c', program])).toEqual([
      ...[true, true, true, true],
      ...['lc', { Name: 'lc', a: 'b' }, 'libcloud'],
    ])
  })
})

describe.skipIf(!existsSync(FOG))('fog (skipped without ruby-fog-aws)', () => {
  it('launches, tags, stops, starts and ends an instance', { timeout: TIMEOUT_MS }, async () => {
    const program = `
require 'fog/aws'
require 'json'
port, key, secret, image = ARGV
ec2 = Fog::AWS::Compute.new(aws_access_key_id: key, aws_secret_access_key: secret, region: 'us-east-1', endpoint: "http://127.0.0.1:#{port}/")
ec2.create_key_pair('fog')
server = ec2.servers.create(image_id: image, flavor_id: 't3.micro', key_name: 'fog', tags: { 'Name' => 'f' })
server.wait_for(60) { ready? }
first = server.state
server.stop
server.wait_for(60) { state == 'stopped' }
server.start
server.wait_for(60) { ready? }
tags = ec2.servers.get(server.id).tags
names = ec2.key_pairs.all('key-name' => ['fog']).map(&:name)
zones = ec2.describe_availability_zones.body['availabilityZoneInfo'].map { |z| z['zoneName'] }
ended = server.destroy
server.wait_for(60) { state == 'terminated' }
puts [first, tags, names, zones, ended].to_json`
    expect(await runProgram(RUBY, ['-e', program])).toEqual([
      'running',
      { Name: 'f' },
      ['fog'],
      ['atoll-1a'],
      true,
    ])
  })
})

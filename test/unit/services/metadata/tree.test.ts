import { describe, expect, test } from 'vitest'
import {
  documentOf,
  metadataTree,
  nodeAt,
  VERSIONS,
} from '../../../../src/services/metadata/tree.ts'
import { instance } from '../../../../tools/kit/instance.ts'

const SETTINGS = { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' }

const tree = metadataTree(instance(7), SETTINGS)

function read(path: string, from = tree): string | undefined {
  const node = nodeAt(from, path.split('/').filter(Boolean))
  if (node === undefined) return undefined
  const { body } = documentOf(node, 0)
  return typeof body === 'string' ? body : Buffer.from(body).toString('latin1')
}

/** As cloud-init does: follow every line of every listing; returns the documents found. */
function crawl(path: string, from = tree): string[] {
  return (read(path, from) ?? '').split('\n').flatMap((line) => {
    if (line.endsWith('/')) return crawl(`${path}${line}`, from)
    const key = /^(\d+)=/.exec(line)?.[1]
    return [key === undefined ? `${path}${line}` : `${path}${key}/openssh-key`]
  })
}

describe('paths', () => {
  test('the root lists versions, and all of them hold the same', () => {
    expect(read('/')?.split('\n')).toEqual([...VERSIONS])
    for (const version of VERSIONS)
      expect(read(`${version}/meta-data/instance-id`)).toBe(instance(7).id)
    expect(read('1999-01-01/meta-data/instance-id')).toBeUndefined()
  })

  test('every listed document exists and directories alone end with a slash', () => {
    const found = crawl('latest/')
    expect(found.length).toBeGreaterThan(30)
    for (const path of found) {
      const node = nodeAt(tree, path.split('/'))
      expect(node?.kind, path).toBe('document')
    }
  })

  test('an instance with nothing optional still lists nothing that is missing', () => {
    const bare = metadataTree(
      instance(7, { keyName: null, publicKey: null, userData: null, tags: [] }),
      SETTINGS,
    )
    for (const path of crawl('latest/', bare))
      expect(nodeAt(bare, path.split('/'))?.kind, path).toBe('document')
    expect(read('latest/meta-data/', bare)).not.toMatch(/public-keys|tags/)
    expect(read('latest/', bare)).toBe('dynamic/\nmeta-data/')
  })

  test('an instance in a placement group finds its name and its partition', () => {
    const at = (partition: number | null) => {
      const placementGroup = { name: 'parts', partition }
      return metadataTree(instance(7, { placementGroup }), SETTINGS)
    }
    const placement = 'latest/meta-data/placement/'
    expect(read(`${placement}group-name`, at(3))).toBe('parts')
    expect(read(`${placement}partition-number`, at(3))).toBe('3')
    expect(read(placement, at(null))).not.toMatch(/partition/)
    expect(read(placement)).not.toMatch(/group|partition/)
  })

  test('an instance finds what is announced for it, and no more', () => {
    const scheduled = 'latest/meta-data/events/maintenance/scheduled'
    expect(JSON.parse(read(scheduled) ?? '')).toEqual([])
    expect(JSON.parse(read('latest/meta-data/events/maintenance/history') ?? '')).toEqual([])
    const event = {
      id: 'instance-event-0123456789abcdef0',
      code: 'instance-retirement',
      description: 'its time to live ends',
      notBeforeMs: Date.parse('2019-01-21T09:00:43Z'),
    } as const
    const events = [event, { ...event, notBeforeMs: null }]
    expect(
      JSON.parse(read(scheduled, metadataTree(instance(7, { events }), SETTINGS)) ?? ''),
    ).toEqual([
      {
        NotBefore: '21 Jan 2019 09:00:43 GMT',
        Code: 'instance-retirement',
        Description: 'its time to live ends',
        EventId: 'instance-event-0123456789abcdef0',
        NotAfter: '21 Jan 2019 09:00:43 GMT',
        State: 'active',
      },
    ])
  })

  test('nothing lies below a document', () => {
    expect(read('latest/meta-data/mac/x')).toBeUndefined()
    expect(read('latest/meta-data/iam/security-credentials')).toBeUndefined()
  })

  test.each(['__proto__', 'constructor', 'toString', '..'])('%s is no path', (name) => {
    expect(read(`latest/meta-data/${name}`)).toBeUndefined()
  })
})

describe('documents', () => {
  const { mac } = instance(7).nics[0] ?? { mac: '' }
  test.each([
    ['meta-data/local-hostname', 'ip-172-31-0-7.atoll.internal'],
    ['meta-data/local-ipv4', '172.31.0.7'],
    ['meta-data/placement/availability-zone', 'atoll-1a'],
    ['meta-data/placement/region', 'atoll-1'],
    ['meta-data/public-keys', '0=my key'],
    ['meta-data/public-keys/0', 'openssh-key'],
    ['meta-data/public-keys/0/openssh-key', 'ssh-ed25519 AAAA my key'],
    ['meta-data/security-groups', 'default'],
    ['meta-data/tags/instance', 'Name'],
    ['meta-data/tags/instance/Name', 'web'],
    ['meta-data/network/interfaces/macs', `${mac}/`],
    [`meta-data/network/interfaces/macs/${mac}/subnet-ipv4-cidr-block`, '172.31.0.0/20'],
    [`meta-data/network/interfaces/macs/${mac}/device-number`, '0'],
    ['user-data', '\0\xff\n#!'],
  ])('%s', (path, expected) => {
    expect(read(`latest/${path}`)).toBe(expected)
  })

  test('the identity document is the instance', () => {
    expect(JSON.parse(read('latest/dynamic/instance-identity/document') ?? '')).toMatchObject({
      accountId: '000000000001',
      availabilityZone: 'atoll-1a',
      instanceId: instance(7).id,
      pendingTime: '2026-11-22T08:33:27Z',
      privateIp: '172.31.0.7',
      region: 'atoll-1',
    })
  })
})

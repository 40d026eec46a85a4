/**
 * The `Store` contract as the API needs it: two hosts that give an account the last piece of a
 * quota at the same moment give it once.
 */
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import { AtollError } from '../../../src/model/errors.ts'
import type { OwnQuotas } from '../../../src/model/quotas.ts'
import { actionNamed } from '../../kit/account-world.ts'
import { ALICE, type Cloud, openCloud } from '../../kit/api-cloud.ts'
import type { StoreFixture } from './fixture.ts'

const AT_ONCE = 4
const POOL = {
  name: 'public',
  ranges: [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.40') }],
  zones: null,
}

interface Piece {
  readonly action: string
  readonly quotas: OwnQuotas
  readonly code: string
  readonly request: (cloud: Cloud, at: number) => object
}

const LAUNCH = { InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
const launch = ({ image }: Cloud) => ({ ...LAUNCH, ImageId: image })

/** The last pieces. */
const PIECES: readonly Piece[] = [
  {
    ...{ action: 'RunInstances', quotas: { instances: 1 }, code: 'InstanceLimitExceeded' },
    request: launch,
  },
  {
    ...{ action: 'RunInstances', quotas: { vcpus: 2 }, code: 'VcpuLimitExceeded' },
    request: launch,
  },
  {
    ...{ action: 'RunInstances', code: 'NetworkInterfaceLimitExceeded' },
    ...{ quotas: { networkInterfaces: 1 }, request: launch },
  },
  {
    ...{ action: 'AllocateAddress', quotas: { addresses: 1 }, code: 'AddressLimitExceeded' },
    request: () => ({}),
  },
  {
    ...{ action: 'CreateKeyPair', quotas: { keyPairs: 1 }, code: 'KeyPairLimitExceeded' },
    request: (_cloud, at) => ({ KeyName: `key-${at}`, KeyType: 'ed25519' }),
  },
  {
    ...{ action: 'CreateSecurityGroup', code: 'SecurityGroupLimitExceeded' },
    quotas: { securityGroupsPerVpc: 2 },
    request: (_cloud, at) => ({ GroupName: `group-${at}`, Description: 'd' }),
  },
]

/** Two hosts at once. */
export function describeQuotas(begin: () => Promise<StoreFixture>): void {
  describe('quotas', () => {
    it('hold when two hosts give the last piece at the same moment', async () => {
      const fixture = await begin()
      try {
        const store = await fixture.open()
        await store.migrate()
        const peer = await fixture.open()
        await using cloud = await openCloud({
          ...{ store, settings: { vpcPlace: 'own', pools: [POOL] } },
        })
        for (const { action, quotas, code, request } of PIECES) {
          await store.change(async (tx) => {
            await tx.changeAccount(ALICE, { quotas })
            for (const { id } of await tx.instances({ account: ALICE })) {
              await tx.updateInstance(id, { state: 'terminated' })
              await tx.deleteNics(id)
            }
          })
          const outcomes = await Promise.all(
            Array.from({ length: AT_ONCE }, (_, at) =>
              cloud
                .runOn(at % 2 === 0 ? store : peer, actionNamed(action), request(cloud, at))
                .then(() => 'done')
                .catch((error: unknown) =>
                  error instanceof AtollError ? error.code : String(error),
                ),
            ),
          )
          expect(outcomes.toSorted(), `${action} ${JSON.stringify(quotas)}`).toEqual(
            ['done', ...Array.from({ length: AT_ONCE - 1 }, () => code)].toSorted(),
          )
        }
      } finally {
        await fixture.end()
      }
    })
  })
}

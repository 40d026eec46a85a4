/**
 * An API in a test: its parts, with a fixed set of access keys and no records, and a function that
 * runs it.
 */

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { createKeyGeneration } from '../../src/api/accounts/key-generation.ts'
import type { Action, ApiParts } from '../../src/api/action.ts'
import { type Api, type ApiOptions, createApi } from '../../src/api/http/server.ts'
import { createCatalogue } from '../../src/api/launch/catalogue.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { QEMU } from '../../src/machines/declaration.ts'
import type { AccessKey } from '../../src/model/account-records.ts'
import { bug } from '../../src/model/errors.ts'
import { parseAccountId, parseHostName } from '../../src/model/ids.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { ReadTx, Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { LIMITS } from './api-cloud.ts'

/** AWS's own example credentials. */
export const KEY: AccessKey = {
  id: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  account: known(parseAccountId('000000000001')),
  user: 'admin',
}
export const CREDENTIALS = { accessKeyId: KEY.id, secretAccessKey: KEY.secret }

export function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a value that the test needs is not there')
  return value
}

/** Records that hold access keys only; anything else asked of them is the test's mistake. */
export function keysOnly(keys: readonly AccessKey[]): Store {
  const refuse = (): never => {
    throw bug('this store holds access keys only')
  }
  const tx: Pick<ReadTx, 'accessKey'> = {
    accessKey: async (id) => {
      const key = keys.find((one) => one.id === id)
      if (key === undefined) return undefined
      const { rights = null } = key
      const times = { createdAt: null, lastUsedAt: null }
      return { ...key, ...times, rights, status: null, accountStatus: 'active' }
    },
  }
  return {
    migrate: async () => {},
    change: refuse,
    claim: refuse,
    single: refuse,
    read: (work) => work(tx as ReadTx),
    close: async () => {},
  }
}

/** What actions work with: no bus, and `KEY` as the only record. */
export function parts(more: Partial<ApiParts> = {}): ApiParts {
  const refuse = (): never => {
    throw bug('this test has no bus')
  }
  return {
    store: withoutReplica(keysOnly([KEY])),
    bus: {
      ring() {},
      ringAll() {},
      ringVpc() {},
      ask: refuse,
    },
    catalogue: createCatalogue(systemClock),
    clock: systemClock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    keepKey: async (_tx, key) => key,
    settings: {
      host: known(parseHostName('host1')),
      region: 'atoll',
      dnsZone: 'atoll.internal',
      endpoint: null,
      drivers: [QEMU, DOCKER],
      maxInstancesPerLaunch: 100,
      ...LIMITS,
    },
    ...more,
  }
}

/** An action of that name which does something else, whatever its parameters. */
export function actionOf(name: Action['name'], run: Action['run']): Action {
  return { name, input: z.unknown(), run }
}

export interface RunningApi extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly api: Api
}

/** An API with these actions on a free port of loopback, until disposed of. */
export async function runApi(
  actions: readonly Action[],
  more: Partial<ApiOptions> = {},
  other: Partial<ApiParts> = {},
): Promise<RunningApi> {
  const api = createApi({
    parts: { ...parts(), ...other },
    actions,
    listen: '127.0.0.1',
    port: 0,
    log: silentLog,
    metrics: createMetrics(),
    ...more,
  })
  const { port } = await api.listen()
  return { port, url: `http://127.0.0.1:${port}`, api, [Symbol.asyncDispose]: () => api.close() }
}

/** What actions need, put together from the records, the bus and the settings. */
import { createKeyGeneration } from './api/accounts/key-generation.ts'
import type { ApiParts } from './api/action.ts'
import { createCatalogue } from './api/launch/catalogue.ts'
import type { ClientRecords, EngineContext } from './engines.ts'
import { createTurns } from './lib/turns.ts'
import type { DriverDeclaration } from './model/driver.ts'
import { apiSettings } from './settings.ts'

/** What actions need, whether they are called over HTTP or the bus. */
export function callsOf(
  context: Pick<EngineContext, 'config' | 'clock' | 'randomBytes'> &
    Pick<ApiParts, 'bus' | 'audit'> & { readonly drivers: readonly DriverDeclaration[] },
  { informed, keys }: Pick<ClientRecords, 'informed' | 'keys'>,
): ApiParts {
  const { config, clock, randomBytes, bus, audit, drivers } = context
  return {
    store: informed,
    bus,
    catalogue: createCatalogue(clock, config.capacity.reserve),
    clock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    settings: apiSettings(config, drivers),
    keys: keys.ring,
    keepKey: keys.orders.keep,
    messages: keys.messages,
    ...(audit === undefined ? {} : { audit }),
  }
}

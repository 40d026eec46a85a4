/** The `Bus` contract, held by every implementation. */
import { createLocalBus } from '../../src/bus/local.ts'
import type { HostName } from '../../src/model/ids.ts'
import { describeBusContract } from './bus-contract.ts'

describeBusContract('in process', async () => {
  const bus = createLocalBus()
  return { bus, host: 'host-1' as HostName, end: () => bus.close() }
})

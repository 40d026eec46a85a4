/** The `Bus` contract, held by every implementation. */
import { createLocalBus } from '../../src/bus/local.ts'
import type { HostName } from '../../src/model/ids.ts'
import { describeBusContract } from './bus-contract.ts'

describeBusContract('in process', async () => {
  const end = { bus: createLocalBus(), host: 'host-1' as HostName }
  return { near: end, far: end, end: () => end.bus.close() }
})

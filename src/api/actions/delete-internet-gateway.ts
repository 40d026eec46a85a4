/** DeleteInternetGateway: of one that is attached to nothing. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import {
  hasDependencies,
  internetGatewayIdSchema,
  requireInternetGateway,
} from '../networks/routing.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html */
export const deleteInternetGateway = changeAction({
  name: 'DeleteInternetGateway',
  input: z.strictObject({ InternetGatewayId: internetGatewayIdSchema }),
  async change(tx, { InternetGatewayId: id }, { account }) {
    await requireInternetGateway(tx, account, id)
    if ((await tx.deleteInternetGateway(id)) === 'in-use')
      throw hasDependencies('internetGateway', id)
    await tx.deleteTagsOf(id)
  },
})

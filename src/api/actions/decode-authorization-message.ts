/** DecodeAuthorizationMessage: why a request was not authorized. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { placeOfMessage } from '../accounts/authorization.ts'
import { readAction } from '../read.ts'

const MESSAGE_MAX = 10_240

/**
 * Only of the caller's account. Any host of the cloud can decode what another has encoded.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
 */
export const decodeAuthorizationMessage = readAction({
  name: 'DecodeAuthorizationMessage',
  input: z.strictObject({ EncodedMessage: z.string().max(MESSAGE_MAX) }),
  answer({ EncodedMessage }, { account, messages }) {
    const decoded = messages?.open(EncodedMessage, placeOfMessage(account))
    if (decoded === undefined || decoded === null)
      throw refused(
        'InvalidAuthorizationMessageException',
        'Message is not valid, or belongs to another account',
      )
    return { DecodedMessage: decoded }
  },
})

import { CancelledError, CocoonError, errorMessage, NetworkError, PeerError } from '../core/errors.ts'

/** The connection under a stream is gone: the peer's process, machine or network died, or was closed on purpose. */
export function connectionLost(peer: string, cause?: unknown): NetworkError {
  return new NetworkError('CONNECTION_LOST', `The connection to ${peer} was lost`, { cause, details: { peer } })
}

/** Why reading or writing a stream failed. Our own errors, given to `abort`, pass through. */
export function streamError(peer: string, cause: unknown): Error {
  if (cause instanceof CocoonError) {
    return cause
  }
  if (errorName(cause) === 'StreamResetError') {
    return new NetworkError('STREAM_RESET', `${peer} reset the stream`, { cause, details: { peer } })
  }
  return connectionLost(peer, cause)
}

/**
 * Why a dial or the opening of a stream failed.
 *
 * @param protocol - undefined for a dial
 */
export function openError(peer: string, protocol: string | undefined, cause: unknown, signal?: AbortSignal): Error {
  if (signal?.aborted === true) {
    return new CancelledError(`Reaching ${peer} was cancelled`, { cause: signal.reason })
  }
  if (cause instanceof CocoonError) {
    return cause
  }
  const details = { peer, protocol }
  switch (errorName(cause) ?? '') {
    case 'StreamResetError':
      return streamError(peer, cause)
    case 'UnsupportedProtocolError':
      return new PeerError('PROTOCOL_UNSUPPORTED', `${peer} does not speak ${protocol}`, { cause, details })
    case 'LimitedConnectionError':
      return new NetworkError('RELAY_LIMITED', `${peer} is reached over a relay only, which ${protocol} may not use`, {
        cause,
        details
      })
    default:
      return new NetworkError(
        'PEER_UNREACHABLE',
        `${peer} cannot be reached${protocol === undefined ? '' : ` for ${protocol}`}: ${dialReason(cause)}`,
        {
          cause,
          details
        }
      )
  }
}

/** One line for a failed dial, whose several causes libp2p collects in an `AggregateError`. */
export function dialReason(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return [...new Set(cause.errors.map(errorMessage))].slice(0, 3).join('; ')
  }
  return errorMessage(cause).split('\n', 1)[0] ?? ''
}

export function errorName(err: unknown): string | undefined {
  return err instanceof Error ? err.name : undefined
}

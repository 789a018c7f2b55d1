import { parseSettings } from './parse-settings.ts'
import { type Config, configSchema, withNetworkDefaults } from './schema.ts'

/**
 * Checks a configuration and fills in its defaults.
 *
 * @param source what errors name, e.g. the file's path
 * @throws {UsageError} `CONFIG_UNKNOWN_KEY` for a key the schema does not have, naming the nearest known ones
 * @throws {UsageError} `CONFIG_INVALID` for a bad value, naming its path, the value and what was expected
 */
export function parseConfig(value: unknown, source = 'configuration'): Config {
  const kind = { unknownKey: 'CONFIG_UNKNOWN_KEY', invalid: 'CONFIG_INVALID', source }
  return withNetworkDefaults(parseSettings(configSchema, value, kind))
}

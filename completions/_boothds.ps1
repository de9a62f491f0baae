
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'boothds' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'boothds'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'boothds' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('keygen', 'keygen', [CompletionResultType]::ParameterValue, 'Make a new encryption key')
            [CompletionResult]::new('encrypt', 'encrypt', [CompletionResultType]::ParameterValue, 'Seal a key under the encryption key')
            [CompletionResult]::new('decrypt', 'decrypt', [CompletionResultType]::ParameterValue, 'Check that a sealed key opens, and with which encryption key')
            [CompletionResult]::new('tenants', 'tenants', [CompletionResultType]::ParameterValue, 'List the tenants, their data sources and the state of their keys')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Show what is known of one tenant''s data source')
            [CompletionResult]::new('test-connection', 'test-connection', [CompletionResultType]::ParameterValue, 'Test whether the data sources of tenants answer')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show how well the caches and pools of the running services serve')
            [CompletionResult]::new('clear-cache', 'clear-cache', [CompletionResultType]::ParameterValue, 'Forget what is cached of tenants, in the state store and in every running process')
            [CompletionResult]::new('rotate-key', 'rotate-key', [CompletionResultType]::ParameterValue, 'Re-seal every stored key under another encryption key')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check the whole installation')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the dashboard, the performance document and Prometheus'' metrics')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Make an embedded fleet to try boothds on, and test it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'boothds;keygen' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the key to this file, readable by its owner alone, instead of showing it')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the key to this file, readable by its owner alone, instead of showing it')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Print `ENCRYPTION_KEY=…`, a line for a .env file')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the file if it exists; the key in it is lost')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;encrypt' {
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read from this file instead of standard input')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'Take each line as a value of its own')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Keep the input to the letter, also a newline at its end')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;decrypt' {
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read from this file instead of standard input')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'Take each line as a value of its own')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Show what is sealed')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;tenants' {
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only tenants in this state; can be repeated')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Only tenants whose data source is in this region; can be repeated')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'Only tenants with a data source of this kind; can be repeated')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--allow-empty', '--allow-empty', [CompletionResultType]::ParameterName, 'An empty selection is no error')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;info' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;test-connection' {
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only tenants in this state; can be repeated')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Only tenants whose data source is in this region; can be repeated')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'Only tenants with a data source of this kind; can be repeated')
            [CompletionResult]::new('--role', '--role', [CompletionResultType]::ParameterName, 'As which role to test')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'How many tenants to test at a time')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time for everything in one tenant, such as 10s or 500ms')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to try again what may pass by itself')
            [CompletionResult]::new('--probe-table', '--probe-table', [CompletionResultType]::ParameterName, 'The table to ask, TABLE or SCHEMA.TABLE (default: accounts)')
            [CompletionResult]::new('--probe-tenant-column', '--probe-tenant-column', [CompletionResultType]::ParameterName, 'Its column with the tenant''s id (default: tenant_id)')
            [CompletionResult]::new('--rls', '--rls', [CompletionResultType]::ParameterName, 'How far to look into row-level security: the probed table, or on PostgreSQL all with the tenant column')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'A finding that does not count, of one tenant or of all; can be repeated')
            [CompletionResult]::new('--expiring-within', '--expiring-within', [CompletionResultType]::ParameterName, 'Report keys that expire within this time, such as 30d')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'What ends with exit code 1')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report as well: junit=FILE, sarif=FILE, or github for annotations on standard error; can be repeated')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Test every tenant that fits --status, --region and --kind')
            [CompletionResult]::new('--allow-empty', '--allow-empty', [CompletionResultType]::ParameterName, 'An empty selection is no error')
            [CompletionResult]::new('--cached', '--cached', [CompletionResultType]::ParameterName, 'Test with the rows that running services have cached, instead of reading them anew')
            [CompletionResult]::new('--require-rls', '--require-rls', [CompletionResultType]::ParameterName, 'Fail a tenant whose row-level security is not shown to be enforced')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;stats' {
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Show it again every so many seconds (2): in place on a terminal, a line each time in a pipe')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Read the performance document of this running service, such as https://service.example')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--reset', '--reset', [CompletionResultType]::ParameterName, 'Show the counts for the last time, and let every process begin at zero')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;clear-cache' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Forget all tenants')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;rotate-key' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The target key: env:NAME, file:PATH or prompt')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Make the target key and write it to this file before anything else, never over another')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Keys to rotate from (default: the encryption key and the earlier ones of the settings)')
            [CompletionResult]::new('--batch-size', '--batch-size', [CompletionResultType]::ParameterName, 'Commit every N tenants instead of all at once; can be run again to finish')
            [CompletionResult]::new('--backup', '--backup', [CompletionResultType]::ParameterName, 'Write every changed value, old and new, to this file before it is committed; never over another')
            [CompletionResult]::new('--restore', '--restore', [CompletionResultType]::ParameterName, 'Put the old values of a backup back, where the new ones still stand')
            [CompletionResult]::new('--as-user', '--as-user', [CompletionResultType]::ParameterName, 'Who is responsible, for the audit trigger: sets app.current_user_id')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'How long to wait for locks, and for an answer when a commit was cut off, such as 30s or 500ms')
            [CompletionResult]::new('--seal-plaintext', '--seal-plaintext', [CompletionResultType]::ParameterName, 'Seal plaintext credentials too: all, or those of TENANT:COLUMN (anon or service); can be repeated')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Do the very same, and roll it back')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'Prove that every stored key opens with the current key alone (with --to: with that one)')
            [CompletionResult]::new('--skip-unreadable', '--skip-unreadable', [CompletionResultType]::ParameterName, 'Leave what cannot be opened as it is, list it, and end with 1')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;doctor' {
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'A check or finding that does not count, of one tenant or of all; can be repeated')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'What ends with exit code 1')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Touch no data source; the application database and the state store are asked')
            [CompletionResult]::new('--all-tenants', '--all-tenants', [CompletionResultType]::ParameterName, 'Test the data sources of all tenants, with row-level security')
            [CompletionResult]::new('--rehearse', '--rehearse', [CompletionResultType]::ParameterName, 'Try whether the keys of a tenant of each status can be changed, in transactions that are rolled back')
            [CompletionResult]::new('--print-sql', '--print-sql', [CompletionResultType]::ParameterName, 'Print the statements that mend the schema of the application database, and do nothing else')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'The address and port to listen on')
            [CompletionResult]::new('--allowed-host', '--allowed-host', [CompletionResultType]::ParameterName, 'A name under which it is reached besides its address and localhost, as HOST or HOST:PORT; can be repeated')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Speak TLS with the certificates of this file, its own first, in PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The file of the certificate''s private key, in PEM')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'The time between two tests of all tenants, such as 5m')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'The form of the log on standard error')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;demo' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'The folder to make')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;completions' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;man' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the answer')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this file, before the environment')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Read variables from this file, before the environment')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use [profile.NAME] of the configuration file, before the environment')
            [CompletionResult]::new('--database-url', '--database-url', [CompletionResultType]::ParameterName, 'The application database: postgres://user@host/name or sqlite:PATH, without a password')
            [CompletionResult]::new('--encryption-key-file', '--encryption-key-file', [CompletionResultType]::ParameterName, 'The file that holds the encryption key')
            [CompletionResult]::new('--previous-key-file', '--previous-key-file', [CompletionResultType]::ParameterName, 'A file that holds earlier encryption keys, one a line; can be repeated')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Short for --format json')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on standard error where the settings in use came from')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'boothds;help' {
            [CompletionResult]::new('keygen', 'keygen', [CompletionResultType]::ParameterValue, 'Make a new encryption key')
            [CompletionResult]::new('encrypt', 'encrypt', [CompletionResultType]::ParameterValue, 'Seal a key under the encryption key')
            [CompletionResult]::new('decrypt', 'decrypt', [CompletionResultType]::ParameterValue, 'Check that a sealed key opens, and with which encryption key')
            [CompletionResult]::new('tenants', 'tenants', [CompletionResultType]::ParameterValue, 'List the tenants, their data sources and the state of their keys')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Show what is known of one tenant''s data source')
            [CompletionResult]::new('test-connection', 'test-connection', [CompletionResultType]::ParameterValue, 'Test whether the data sources of tenants answer')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show how well the caches and pools of the running services serve')
            [CompletionResult]::new('clear-cache', 'clear-cache', [CompletionResultType]::ParameterValue, 'Forget what is cached of tenants, in the state store and in every running process')
            [CompletionResult]::new('rotate-key', 'rotate-key', [CompletionResultType]::ParameterValue, 'Re-seal every stored key under another encryption key')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check the whole installation')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the dashboard, the performance document and Prometheus'' metrics')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Make an embedded fleet to try boothds on, and test it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'boothds;help;keygen' {
            break
        }
        'boothds;help;encrypt' {
            break
        }
        'boothds;help;decrypt' {
            break
        }
        'boothds;help;tenants' {
            break
        }
        'boothds;help;info' {
            break
        }
        'boothds;help;test-connection' {
            break
        }
        'boothds;help;stats' {
            break
        }
        'boothds;help;clear-cache' {
            break
        }
        'boothds;help;rotate-key' {
            break
        }
        'boothds;help;doctor' {
            break
        }
        'boothds;help;serve' {
            break
        }
        'boothds;help;demo' {
            break
        }
        'boothds;help;completions' {
            break
        }
        'boothds;help;man' {
            break
        }
        'boothds;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}

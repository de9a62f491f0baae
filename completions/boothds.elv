
use builtin;
use str;

set edit:completion:arg-completer[boothds] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'boothds'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'boothds'= {
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand keygen 'Make a new encryption key'
            cand encrypt 'Seal a key under the encryption key'
            cand decrypt 'Check that a sealed key opens, and with which encryption key'
            cand tenants 'List the tenants, their data sources and the state of their keys'
            cand info 'Show what is known of one tenant''s data source'
            cand test-connection 'Test whether the data sources of tenants answer'
            cand stats 'Show how well the caches and pools of the running services serve'
            cand clear-cache 'Forget what is cached of tenants, in the state store and in every running process'
            cand rotate-key 'Re-seal every stored key under another encryption key'
            cand doctor 'Check the whole installation'
            cand serve 'Serve the dashboard, the performance document and Prometheus'' metrics'
            cand demo 'Make an embedded fleet to try boothds on, and test it'
            cand completions 'Print the completions of a shell'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'boothds;keygen'= {
            cand -o 'Write the key to this file, readable by its owner alone, instead of showing it'
            cand --output 'Write the key to this file, readable by its owner alone, instead of showing it'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --env 'Print `ENCRYPTION_KEY=…`, a line for a .env file'
            cand --force 'Replace the file if it exists; the key in it is lost'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;encrypt'= {
            cand --file 'Read from this file instead of standard input'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --lines 'Take each line as a value of its own'
            cand --raw 'Keep the input to the letter, also a newline at its end'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;decrypt'= {
            cand --file 'Read from this file instead of standard input'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --lines 'Take each line as a value of its own'
            cand --reveal 'Show what is sealed'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;tenants'= {
            cand --status 'Only tenants in this state; can be repeated'
            cand --region 'Only tenants whose data source is in this region; can be repeated'
            cand --kind 'Only tenants with a data source of this kind; can be repeated'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --allow-empty 'An empty selection is no error'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;info'= {
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;test-connection'= {
            cand --status 'Only tenants in this state; can be repeated'
            cand --region 'Only tenants whose data source is in this region; can be repeated'
            cand --kind 'Only tenants with a data source of this kind; can be repeated'
            cand --role 'As which role to test'
            cand --concurrency 'How many tenants to test at a time'
            cand --timeout 'The time for everything in one tenant, such as 10s or 500ms'
            cand --retries 'How often to try again what may pass by itself'
            cand --probe-table 'The table to ask, TABLE or SCHEMA.TABLE (default: accounts)'
            cand --probe-tenant-column 'Its column with the tenant''s id (default: tenant_id)'
            cand --rls 'How far to look into row-level security: the probed table, or on PostgreSQL all with the tenant column'
            cand --ignore 'A finding that does not count, of one tenant or of all; can be repeated'
            cand --expiring-within 'Report keys that expire within this time, such as 30d'
            cand --fail-on 'What ends with exit code 1'
            cand --report 'Write a report as well: junit=FILE, sarif=FILE, or github for annotations on standard error; can be repeated'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --all 'Test every tenant that fits --status, --region and --kind'
            cand --allow-empty 'An empty selection is no error'
            cand --cached 'Test with the rows that running services have cached, instead of reading them anew'
            cand --require-rls 'Fail a tenant whose row-level security is not shown to be enforced'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;stats'= {
            cand --watch 'Show it again every so many seconds (2): in place on a terminal, a line each time in a pipe'
            cand --endpoint 'Read the performance document of this running service, such as https://service.example'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --reset 'Show the counts for the last time, and let every process begin at zero'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;clear-cache'= {
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --all 'Forget all tenants'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;rotate-key'= {
            cand --to 'The target key: env:NAME, file:PATH or prompt'
            cand --generate 'Make the target key and write it to this file before anything else, never over another'
            cand --from 'Keys to rotate from (default: the encryption key and the earlier ones of the settings)'
            cand --batch-size 'Commit every N tenants instead of all at once; can be run again to finish'
            cand --backup 'Write every changed value, old and new, to this file before it is committed; never over another'
            cand --restore 'Put the old values of a backup back, where the new ones still stand'
            cand --as-user 'Who is responsible, for the audit trigger: sets app.current_user_id'
            cand --lock-timeout 'How long to wait for locks, and for an answer when a commit was cut off, such as 30s or 500ms'
            cand --seal-plaintext 'Seal plaintext credentials too: all, or those of TENANT:COLUMN (anon or service); can be repeated'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --dry-run 'Do the very same, and roll it back'
            cand --verify 'Prove that every stored key opens with the current key alone (with --to: with that one)'
            cand --skip-unreadable 'Leave what cannot be opened as it is, list it, and end with 1'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;doctor'= {
            cand --ignore 'A check or finding that does not count, of one tenant or of all; can be repeated'
            cand --fail-on 'What ends with exit code 1'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --offline 'Touch no data source; the application database and the state store are asked'
            cand --all-tenants 'Test the data sources of all tenants, with row-level security'
            cand --rehearse 'Try whether the keys of a tenant of each status can be changed, in transactions that are rolled back'
            cand --print-sql 'Print the statements that mend the schema of the application database, and do nothing else'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;serve'= {
            cand --listen 'The address and port to listen on'
            cand --allowed-host 'A name under which it is reached besides its address and localhost, as HOST or HOST:PORT; can be repeated'
            cand --tls-cert 'Speak TLS with the certificates of this file, its own first, in PEM'
            cand --tls-key 'The file of the certificate''s private key, in PEM'
            cand --interval 'The time between two tests of all tenants, such as 5m'
            cand --log-format 'The form of the log on standard error'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;demo'= {
            cand --dir 'The folder to make'
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;completions'= {
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;man'= {
            cand --format 'How to print the answer'
            cand --config 'Read settings from this file, before the environment'
            cand --env-file 'Read variables from this file, before the environment'
            cand --profile 'Use [profile.NAME] of the configuration file, before the environment'
            cand --database-url 'The application database: postgres://user@host/name or sqlite:PATH, without a password'
            cand --encryption-key-file 'The file that holds the encryption key'
            cand --previous-key-file 'A file that holds earlier encryption keys, one a line; can be repeated'
            cand --json 'Short for --format json'
            cand -v 'Say on standard error where the settings in use came from'
            cand --verbose 'Say on standard error where the settings in use came from'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'boothds;help'= {
            cand keygen 'Make a new encryption key'
            cand encrypt 'Seal a key under the encryption key'
            cand decrypt 'Check that a sealed key opens, and with which encryption key'
            cand tenants 'List the tenants, their data sources and the state of their keys'
            cand info 'Show what is known of one tenant''s data source'
            cand test-connection 'Test whether the data sources of tenants answer'
            cand stats 'Show how well the caches and pools of the running services serve'
            cand clear-cache 'Forget what is cached of tenants, in the state store and in every running process'
            cand rotate-key 'Re-seal every stored key under another encryption key'
            cand doctor 'Check the whole installation'
            cand serve 'Serve the dashboard, the performance document and Prometheus'' metrics'
            cand demo 'Make an embedded fleet to try boothds on, and test it'
            cand completions 'Print the completions of a shell'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'boothds;help;keygen'= {
        }
        &'boothds;help;encrypt'= {
        }
        &'boothds;help;decrypt'= {
        }
        &'boothds;help;tenants'= {
        }
        &'boothds;help;info'= {
        }
        &'boothds;help;test-connection'= {
        }
        &'boothds;help;stats'= {
        }
        &'boothds;help;clear-cache'= {
        }
        &'boothds;help;rotate-key'= {
        }
        &'boothds;help;doctor'= {
        }
        &'boothds;help;serve'= {
        }
        &'boothds;help;demo'= {
        }
        &'boothds;help;completions'= {
        }
        &'boothds;help;man'= {
        }
        &'boothds;help;help'= {
        }
    ]
    $completions[$command]
}

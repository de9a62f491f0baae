# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_boothds_global_optspecs
    string join \n format= json v/verbose config= env-file= profile= database-url= encryption-key-file= previous-key-file= h/help V/version
end

function __fish_boothds_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_boothds_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_boothds_using_subcommand
    set -l cmd (__fish_boothds_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c boothds -n "__fish_boothds_needs_command" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_needs_command" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_needs_command" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_needs_command" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_needs_command" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_needs_command" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_needs_command" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_needs_command" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_needs_command" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_needs_command" -s V -l version -d 'Print version'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "keygen" -d 'Make a new encryption key'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "encrypt" -d 'Seal a key under the encryption key'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "decrypt" -d 'Check that a sealed key opens, and with which encryption key'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "tenants" -d 'List the tenants, their data sources and the state of their keys'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "info" -d 'Show what is known of one tenant\'s data source'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "test-connection" -d 'Test whether the data sources of tenants answer'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "stats" -d 'Show how well the caches and pools of the running services serve'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "clear-cache" -d 'Forget what is cached of tenants, in the state store and in every running process'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "rotate-key" -d 'Re-seal every stored key under another encryption key'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "doctor" -d 'Check the whole installation'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "serve" -d 'Serve the dashboard, the performance document and Prometheus\' metrics'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "demo" -d 'Make an embedded fleet to try boothds on, and test it'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "man" -d 'Print a manual page'
complete -c boothds -n "__fish_boothds_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -s o -l output -d 'Write the key to this file, readable by its owner alone, instead of showing it' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l env -d 'Print `ENCRYPTION_KEY=…`, a line for a .env file'
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l force -d 'Replace the file if it exists; the key in it is lost'
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand keygen" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l file -d 'Read from this file instead of standard input' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l lines -d 'Take each line as a value of its own'
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l raw -d 'Keep the input to the letter, also a newline at its end'
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand encrypt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l file -d 'Read from this file instead of standard input' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l lines -d 'Take each line as a value of its own'
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l reveal -d 'Show what is sealed'
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand decrypt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l status -d 'Only tenants in this state; can be repeated' -r -f -a "active\t''
suspended\t''
cancelled\t''"
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l region -d 'Only tenants whose data source is in this region; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l kind -d 'Only tenants with a data source of this kind; can be repeated' -r -f -a "supabase\t''
postgres\t''
sqlite\t''"
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l allow-empty -d 'An empty selection is no error'
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand tenants" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand info" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand info" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand info" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand info" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand info" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand info" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand info" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand info" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand info" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l status -d 'Only tenants in this state; can be repeated' -r -f -a "active\t''
suspended\t''
cancelled\t''"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l region -d 'Only tenants whose data source is in this region; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l kind -d 'Only tenants with a data source of this kind; can be repeated' -r -f -a "supabase\t''
postgres\t''
sqlite\t''"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l role -d 'As which role to test' -r -f -a "service\t''
anon\t''
both\t''"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l concurrency -d 'How many tenants to test at a time' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l timeout -d 'The time for everything in one tenant, such as 10s or 500ms' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l retries -d 'How often to try again what may pass by itself' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l probe-table -d 'The table to ask, TABLE or SCHEMA.TABLE (default: accounts)' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l probe-tenant-column -d 'Its column with the tenant\'s id (default: tenant_id)' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l rls -d 'How far to look into row-level security: the probed table, or on PostgreSQL all with the tenant column' -r -f -a "table\t'The probed table, its partitions and the views over it'
all\t'Every table with the tenant column, views, and functions with their owner\'s rights'
off\t'Nothing'"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l ignore -d 'A finding that does not count, of one tenant or of all; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l expiring-within -d 'Report keys that expire within this time, such as 30d' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l fail-on -d 'What ends with exit code 1' -r -f -a "failure\t'A tenant that failed'
error\t'A tenant that failed, or a finding that is an error'
warning\t'A tenant that failed, or any finding'
never\t'Nothing'"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l report -d 'Write a report as well: junit=FILE, sarif=FILE, or github for annotations on standard error; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l all -d 'Test every tenant that fits --status, --region and --kind'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l allow-empty -d 'An empty selection is no error'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l cached -d 'Test with the rows that running services have cached, instead of reading them anew'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l require-rls -d 'Fail a tenant whose row-level security is not shown to be enforced'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand test-connection" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l watch -d 'Show it again every so many seconds (2): in place on a terminal, a line each time in a pipe' -r
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l endpoint -d 'Read the performance document of this running service, such as https://service.example' -r
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l reset -d 'Show the counts for the last time, and let every process begin at zero'
complete -c boothds -n "__fish_boothds_using_subcommand stats" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand stats" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l all -d 'Forget all tenants'
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -s y -l yes -d 'Do not ask'
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand clear-cache" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l to -d 'The target key: env:NAME, file:PATH or prompt' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l generate -d 'Make the target key and write it to this file before anything else, never over another' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l from -d 'Keys to rotate from (default: the encryption key and the earlier ones of the settings)' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l batch-size -d 'Commit every N tenants instead of all at once; can be run again to finish' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l backup -d 'Write every changed value, old and new, to this file before it is committed; never over another' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l restore -d 'Put the old values of a backup back, where the new ones still stand' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l as-user -d 'Who is responsible, for the audit trigger: sets app.current_user_id' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l lock-timeout -d 'How long to wait for locks, and for an answer when a commit was cut off, such as 30s or 500ms' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l seal-plaintext -d 'Seal plaintext credentials too: all, or those of TENANT:COLUMN (anon or service); can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l dry-run -d 'Do the very same, and roll it back'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l verify -d 'Prove that every stored key opens with the current key alone (with --to: with that one)'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l skip-unreadable -d 'Leave what cannot be opened as it is, list it, and end with 1'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -s y -l yes -d 'Do not ask'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand rotate-key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l ignore -d 'A check or finding that does not count, of one tenant or of all; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l fail-on -d 'What ends with exit code 1' -r -f -a "error\t'A check that is an error'
warning\t'A check that is an error or a warning'"
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l offline -d 'Touch no data source; the application database and the state store are asked'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l all-tenants -d 'Test the data sources of all tenants, with row-level security'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l rehearse -d 'Try whether the keys of a tenant of each status can be changed, in transactions that are rolled back'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l print-sql -d 'Print the statements that mend the schema of the application database, and do nothing else'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l listen -d 'The address and port to listen on' -r
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l allowed-host -d 'A name under which it is reached besides its address and localhost, as HOST or HOST:PORT; can be repeated' -r
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l tls-cert -d 'Speak TLS with the certificates of this file, its own first, in PEM' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l tls-key -d 'The file of the certificate\'s private key, in PEM' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l interval -d 'The time between two tests of all tenants, such as 5m' -r
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l log-format -d 'The form of the log on standard error' -r -f -a "text\t'A line of text for each event'
json\t'A JSON object on a line for each event'"
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand serve" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand serve" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l dir -d 'The folder to make' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand demo" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand demo" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand completions" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand completions" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand man" -l format -d 'How to print the answer' -r -f -a "table\t'A table for people'
json\t'One JSON document'
jsonl\t'One JSON object a line, as they are ready'"
complete -c boothds -n "__fish_boothds_using_subcommand man" -l config -d 'Read settings from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand man" -l env-file -d 'Read variables from this file, before the environment' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand man" -l profile -d 'Use [profile.NAME] of the configuration file, before the environment' -r
complete -c boothds -n "__fish_boothds_using_subcommand man" -l database-url -d 'The application database: postgres://user@host/name or sqlite:PATH, without a password' -r
complete -c boothds -n "__fish_boothds_using_subcommand man" -l encryption-key-file -d 'The file that holds the encryption key' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand man" -l previous-key-file -d 'A file that holds earlier encryption keys, one a line; can be repeated' -r -F
complete -c boothds -n "__fish_boothds_using_subcommand man" -l json -d 'Short for --format json'
complete -c boothds -n "__fish_boothds_using_subcommand man" -s v -l verbose -d 'Say on standard error where the settings in use came from'
complete -c boothds -n "__fish_boothds_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "keygen" -d 'Make a new encryption key'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "encrypt" -d 'Seal a key under the encryption key'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "decrypt" -d 'Check that a sealed key opens, and with which encryption key'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "tenants" -d 'List the tenants, their data sources and the state of their keys'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "info" -d 'Show what is known of one tenant\'s data source'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "test-connection" -d 'Test whether the data sources of tenants answer'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "stats" -d 'Show how well the caches and pools of the running services serve'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "clear-cache" -d 'Forget what is cached of tenants, in the state store and in every running process'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "rotate-key" -d 'Re-seal every stored key under another encryption key'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "doctor" -d 'Check the whole installation'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "serve" -d 'Serve the dashboard, the performance document and Prometheus\' metrics'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "demo" -d 'Make an embedded fleet to try boothds on, and test it'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "completions" -d 'Print the completions of a shell'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "man" -d 'Print a manual page'
complete -c boothds -n "__fish_boothds_using_subcommand help; and not __fish_seen_subcommand_from keygen encrypt decrypt tenants info test-connection stats clear-cache rotate-key doctor serve demo completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

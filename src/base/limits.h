// Every bound of sluice, in one place: what a peer, a file or a burst can cost at most. Sizes are in
// bytes unless the name says otherwise. Defaults are safe at the edge of the internet.
#pragma once

#include "base/durations.h"

#include <cstddef>
#include <cstdint>

namespace sluice::limits {

using namespace std::chrono_literals;

// --- The ring of a shard ---------------------------------------------------------------------------
inline constexpr unsigned ring_entries = 1024;                     // submission queue
inline constexpr unsigned completion_entries = 16 * ring_entries;  // completion queue; overflow is counted
inline constexpr size_t receive_buffer_bytes = 16 * 1024;          // one provided buffer
inline constexpr unsigned receive_buffers_min = 32;                // provided at least, per shard: 512 KiB
inline constexpr unsigned receive_buffers_max = 4096;  // grown to this on demand: 64 MiB per shard; then the heap

// --- One connection --------------------------------------------------------------------------------
inline constexpr size_t chunk_bytes = 17 * 1024;          // holds one full TLS record
inline constexpr size_t write_high_bytes = 64 * 1024;     // beyond it the producer of a stream is paused
inline constexpr uint32_t receive_bytes_max = 32 * 1024;  // by one multishot receive, where the kernel knows a bound
inline constexpr size_t read_high_bytes = 64 * 1024;      // received and not consumed: receiving pauses
inline constexpr size_t read_high_when_scarce_bytes = 16 * 1024;  // the same while receive buffers are scarce
inline constexpr unsigned send_iovecs_max = 8;
inline constexpr size_t connection_bytes_per_turn = 1024 * 1024;  // then the connection yields to the others
inline constexpr unsigned requests_per_turn_max = 16;             // pipelined requests of one connection

// --- Zero copy -------------------------------------------------------------------------------------
inline constexpr size_t splice_threshold_bytes = 64 * 1024;  // bodies of at least this length are spliced
inline constexpr Duration splice_patience = 1s;              // that a tunnel waits for both sides to become quiet
inline constexpr size_t pipe_bytes = 1024 * 1024;            // wanted; the kernel may grant less
inline constexpr unsigned idle_pipes_max = 16;               // empty pipes kept for reuse, per shard

// --- Accepting -------------------------------------------------------------------------------------
inline constexpr int listen_backlog = 4096;
inline constexpr uint32_t connections_per_shard_max = 100'000;
inline constexpr uint32_t handshakes_per_shard_max = 512;  // beyond it, new connections wait in the backlog
inline constexpr uint32_t accept_burst = 1024;        // connections; as near to the limit, they are taken one by one
inline constexpr uint32_t reserved_descriptors = 64;  // of RLIMIT_NOFILE, for everything but connections

// --- What comes before all else --------------------------------------------------------------------
inline constexpr size_t proxy_header_bytes_max = 4096;  // PROXY protocol: version 2 with all of its TLVs

// --- TLS -------------------------------------------------------------------------------------------
inline constexpr size_t client_hello_bytes_max = 16 * 1024;
inline constexpr size_t tls_plaintext_bytes = 16 * 1024;              // RFC 8446 5.1
inline constexpr size_t tls_small_record_bytes = 4 * 1024;            // three segments: usable when these have arrived
inline constexpr uint8_t tls_small_records = 16;                      // at the start and after silence; then full ones
inline constexpr Duration tls_small_records_after = 1s;               // of writing nothing
inline constexpr size_t tls_unsent_bytes_max = 2 * write_high_bytes;  // beyond it, reading stops: it may write
inline constexpr size_t tls_silent_bytes_max =
    64 * 1024;  // ciphertext in a row that brings no plaintext: handshake, key updates, empty records
inline constexpr Duration handshake_timeout = 15s;         // with the PROXY header, where there is one
inline constexpr Duration signing_patience = 2ms;          // that RSA-2048 signatures wait for others, under load
inline constexpr size_t idle_fiber_stacks_kept = 4;        // for the next handshakes that wait; more after a burst
inline constexpr size_t ocsp_staple_bytes_max = 8 * 1024;  // sent in every full handshake of whoever asks for it
inline constexpr Duration session_lifetime = 2h;           // that a session can be resumed after its full handshake
inline constexpr Duration ticket_key_lifetime = 1h;        // that a key of our own seals tickets, and then opens them

// --- HTTP heads ------------------------------------------------------------------------------------
inline constexpr size_t head_bytes_max = 60 * 1024;    // request line and fields; beyond: 431
inline constexpr size_t target_bytes_max = 16 * 1024;  // beyond: 414
inline constexpr unsigned header_count_max = 100;      // beyond: 431
inline constexpr unsigned header_operations_max = 32;  // of one kind, of a route or a destination
inline constexpr unsigned header_list_count_max =
    header_count_max + 16 + 4 * header_operations_max;          // what was read and what a proxy adds
inline constexpr size_t generated_value_bytes_max = 32 * 1024;  // of a field whose value a format makes
inline constexpr size_t host_bytes_max = 255;                   // without port; a DNS name has 253 (RFC 1035 2.3.4)
inline constexpr unsigned connection_options_max = 32;          // in the Connection fields of one head
inline constexpr unsigned blank_lines_max = 16;                 // before a request line (RFC 9112 2.2)
inline constexpr size_t trailer_bytes_max = 8 * 1024;
inline constexpr unsigned informational_responses_max = 16;  // 1xx before a final response
inline constexpr size_t chunk_extension_bytes_max = 1024;    // per message
inline constexpr size_t chunk_framing_bytes_max =
    trailer_bytes_max + 2 * chunk_extension_bytes_max;  // between two pieces of content
inline constexpr size_t exchange_arena_bytes_max = 192 * 1024;

// --- HTTP/2 ----------------------------------------------------------------------------------------
inline constexpr uint32_t http2_streams_max = 100;                 // open at a time on one connection, of either role
inline constexpr uint32_t http2_stream_window_bytes = 256 * 1024;  // received and not consumed, of one stream
// Of all streams of a connection together. Those to an upstream are of many clients: the ones that do not read must not
// stop the others.
inline constexpr uint32_t http2_client_window_bytes = 1024 * 1024;
inline constexpr uint32_t http2_upstream_window_bytes = http2_streams_max * http2_stream_window_bytes;
inline constexpr size_t http2_heads_bytes_max = 2 * 1024 * 1024;  // of a client's connection: then requests are refused
inline constexpr size_t http2_input_piece_bytes = 4 * 1024;  // of a client, then its requests of this turn are counted
inline constexpr size_t http2_unsent_bytes_max = 2 * write_high_bytes;  // beyond it, nothing is read from a client
inline constexpr size_t http2_continuations_max = 8;   // CONTINUATION frames of one header block, 16 KiB each
inline constexpr size_t http2_settings_max = 32;       // entries of one SETTINGS frame
inline constexpr size_t http2_unsent_acks_max = 1000;  // that one input may ask for: of SETTINGS and PING
inline constexpr uint64_t http2_resets_max = 1000;     // RST_STREAM of the peer in a burst, then:
inline constexpr uint64_t http2_resets_per_second = 33;
inline constexpr size_t grpc_message_bytes_max = 1024;  // of an answer of our own, before it is encoded
inline constexpr Duration http2_drain_notice = 1s;      // from the first GOAWAY of a shutdown to the final one
// Frames that carry nothing (http/http2_session.h): so many are free, and useful work gives some back.
inline constexpr uint32_t http2_idle_frames_max = 4096;
inline constexpr uint32_t http2_idle_frames_per_request = 64;
inline constexpr uint32_t http2_idle_frames_per_data_frame = 4;  // that we send: window updates answer it
inline constexpr uint32_t http2_idle_frames_per_minute = 64;     // PING of a connection that is quiet for long

// --- Timeouts at the edge --------------------------------------------------------------------------
inline constexpr Duration request_head_timeout = 60s;   // from the first byte of a head to its end
inline constexpr Duration client_idle_timeout = 1h;     // between requests
inline constexpr Duration first_request_timeout = 60s;  // a connection that never asks for anything
inline constexpr Duration body_progress_timeout = 60s;  // a body that stands still: not sent, or not taken
inline constexpr Duration client_write_timeout = 60s;   // a reader that stands still
inline constexpr Duration upstream_idle_timeout = 1h;
inline constexpr Duration http1_choice_lifetime = 1min;  // an upstream that has chosen HTTP/1.1 is not offered HTTP/2
inline constexpr Duration upstream_connect_timeout = 10s;
inline constexpr Duration tunnel_idle_timeout = 1h;
inline constexpr Duration protocol_detection_time = 200ms;  // for the first bytes of redirected connections
inline constexpr Duration lingering_close_timeout = 2s;     // reading off what a refused client still sends
inline constexpr size_t lingering_close_bytes = 256 * 1024;

// --- Upstreams -------------------------------------------------------------------------------------
inline constexpr uint32_t idle_upstreams_per_requested_endpoint_max = 8;  // of one that a client has named
inline constexpr Duration unregistered_idle_timeout = 90s;  // of connections to those nobody has registered
inline constexpr uint32_t idle_upstreams_per_endpoint_max = 8192;
inline constexpr uint32_t keepalive_probes_max = 127;  // these two are Linux' (MAX_TCP_KEEPCNT, MAX_TCP_KEEPIDLE)
inline constexpr Duration keepalive_time_max = 32'767s;
inline constexpr uint32_t connect_attempts_max = 3;                 // where no policy of retries says otherwise
inline constexpr uint32_t retries_max = 100;                        // of one request, whatever the policy says
inline constexpr size_t replayed_content_bytes_max = 64 * 1024;     // of a request that may have to be sent again
inline constexpr size_t mirrored_content_bytes_max = 1024 * 1024;   // of a request that may have to be copied
inline constexpr size_t kept_content_bytes_max = 64 * 1024 * 1024;  // of all such requests and copies, per shard
inline constexpr uint32_t mirrored_requests_max = 1024;             // under way, per shard
inline constexpr uint32_t mirrored_requests_per_cluster_max = 256;  // of them, to one mirror
inline constexpr Duration mirrored_request_timeout = 60s;           // for all of one
inline constexpr unsigned mirrors_max = 8;                          // of one list; with `mirror` of a root, one more
inline constexpr size_t resumable_sessions_max = 4;                 // of TLS, per endpoint and shard
inline constexpr Duration upstream_patience_margin = 1s;            // before an upstream ends an idle connection itself
inline constexpr size_t proxy_credentials_bytes_max = 512;          // user and password, in proxy-authorization
inline constexpr Duration dns_ttl_min = 5s;  // an answer is not asked for again sooner, whatever it says
inline constexpr Duration dns_ttl_max = 1h;
inline constexpr Duration dns_retry = 60s;          // after a failure, while an older answer is there
inline constexpr Duration dns_round_max = 5s;       // all lookups of one round together
inline constexpr unsigned dns_lookups_max = 64;     // at a time
inline constexpr unsigned dns_addresses_max = 256;  // of one name; the rest is ignored
// The same for names that clients request: whoever may connect may ask for any number of them.
inline constexpr size_t dns_questions_max = 4096;              // of shards, that the resolver has not looked at
inline constexpr unsigned dns_lookups_under_way_max = 256;     // at a time
inline constexpr size_t dns_lookups_waiting_max = 2048;        // for their turn; beyond it, a name has failed at once
inline constexpr size_t dns_names_max = 8192;                  // remembered with their answers, by the process
inline constexpr size_t dns_requested_addresses_max = 64;      // of one of them; the rest is ignored
inline constexpr Duration dns_lookup_time_max = 5s;            // then whoever asked is told that it has failed
inline constexpr Duration dns_failure_lifetime = 5s;           // until a name that has failed is asked for again
inline constexpr Duration dns_last_answer_lifetime = 10min;    // that an answer serves while there is no newer one
inline constexpr Duration dns_refresh_time_max = 30s;          // that a shard uses an answer while it asks anew
inline constexpr size_t dns_names_per_shard_max = 2048;        // remembered by a shard
inline constexpr size_t requested_endpoints_max = 1024;        // of one cluster, per shard
inline constexpr Duration requested_endpoint_lifetime = 5min;  // of one without requests and connections
inline constexpr unsigned connect_race_max = 8;                // addresses of one name that a connect tries
inline constexpr Duration connect_attempt_delay = 250ms;       // until the next one is tried, too (RFC 8305 5)

// --- Process ---------------------------------------------------------------------------------------
inline constexpr Duration drain_timeout = 45s;
inline constexpr unsigned shards_max = 256;
inline constexpr size_t access_log_line_bytes_max = 256 * 1024;   // beyond it a line is dropped and counted
inline constexpr size_t access_log_format_bytes_max = 64 * 1024;  // of a JSON object
inline constexpr size_t access_log_values_max = 100;              // of accessLogFormat
inline constexpr size_t access_log_depth_max = 8;                 // of objects and lists in it
inline constexpr size_t access_log_buffer_bytes = 1024 * 1024;    // per shard; lines beyond it are dropped and counted
inline constexpr size_t metric_label_sets_max = 4096;             // per shard; others are counted together
inline constexpr size_t config_file_bytes_max = 16 * 1024 * 1024;
inline constexpr size_t config_total_bytes_max = 256 * 1024 * 1024;
inline constexpr unsigned config_files_max = 10'000;
inline constexpr size_t config_directory_entries_max = 100'000;
inline constexpr Duration watch_quiet = 200ms;  // of files that have changed, before they are read
inline constexpr Duration watch_patience = 2s;  // with files that change all the time
inline constexpr unsigned config_nesting_max = 64;
inline constexpr size_t config_nodes_max = 2'000'000;         // values of all documents, aliases expanded
inline constexpr size_t config_alias_nodes_max = 100'000;     // of them, copies that anchors and aliases of a file make
inline constexpr size_t config_embedded_nodes_max = 100'000;  // of a document inside of another
inline constexpr size_t config_diagnostics_max = 1000;        // kept of each severity; all are counted
inline constexpr size_t config_host_pairs_max = 10'000'000;   // comparisons of a VirtualService's host with a server's
inline constexpr size_t config_virtual_hosts_max = 500'000;   // over all route tables
inline constexpr size_t config_routes_max = 1'000'000;        // over all virtual hosts
inline constexpr size_t config_registered_ports_max = 100'000;  // pairs of a host and a port, for outbound traffic
inline constexpr size_t proxy_addresses_max = 16;               // that the explicit proxy listens on
inline constexpr size_t regex_bytes_max = 4096;                 // of a regular expression
inline constexpr int64_t regex_memory_bytes_max = 256 * 1024;   // of a compiled one, with what it remembers
inline constexpr unsigned regex_replacements_max = 100;         // of one expression in one path
inline constexpr size_t direct_response_bytes_max = 1024 * 1024;
inline constexpr size_t route_name_bytes_max = 256;               // of a route or one of its matches
inline constexpr size_t config_lint_steps_max = 10'000'000;       // of looking for routes that are never reached
inline constexpr size_t match_conditions_max = 64;                // of one match of a VirtualService
inline constexpr size_t format_bytes_max = 16 * 1024;             // of a format string
inline constexpr size_t format_operators_max = 256;               // in one
inline constexpr size_t config_endpoints_max = 1'000'000;         // over all clusters
inline constexpr size_t unix_socket_names_max = 16 * 1024;        // that one process has ever read in documents
inline constexpr size_t config_endpoints_seen_max = 10'000'000;   // that the clusters' endpoints are chosen from
inline constexpr size_t credential_file_bytes_max = 1024 * 1024;  // certificates and keys that documents name by path
inline constexpr size_t revocation_list_bytes_max = 16 * 1024 * 1024;
inline constexpr size_t credential_files_bytes_max = 64 * 1024 * 1024;  // all of these files together
inline constexpr size_t admin_request_bytes_max = 16 * 1024;
inline constexpr unsigned admin_connections_max = 64;

// --- managed certificates ---
inline constexpr Duration renewal_retry_step = 120s;  // for each failure one more
inline constexpr Duration renewal_retry_max = 8h;
inline constexpr Duration renewal_retry_lasting = 24h;  // of what only a change of the configuration mends
inline constexpr Duration failed_order_pause = 1h;      // certificate authorities count failures by the hour
inline constexpr size_t failed_orders_max = 64;         // of one certificate whose document changes, remembered
inline constexpr Duration renewal_pause_min = 30s;      // between a certificate and its successor: the smaller of
inline constexpr Duration renewal_pause_max = 24h;      // a tenth of the lifetime and this
inline constexpr Duration renewal_look_pause = 5s;      // the wall clock may have been set meanwhile
inline constexpr Duration acme_order_time_max = 15min;  // of pauses, until the certificate is there
inline constexpr uint32_t acme_stumbles_max = 5;        // passing failures of one, before it waits longer
inline constexpr Duration acme_look_pause = 250ms;      // between two looks at something, twice as long each time
inline constexpr Duration acme_look_pause_max = 8s;
inline constexpr Duration first_dns_look_pause = 10s;     // after TXT records were made
inline constexpr Duration acme_pause_asked_max = 5min;    // that a server may ask for between two looks
inline constexpr Duration board_look_pause = 50ms;        // until every shard has the answer to a challenge
inline constexpr Duration proof_visible_time_max = 120s;  // until it has, or resolvers see the TXT record
inline constexpr size_t acme_orders_max = 8;              // under way at the same time
inline constexpr Duration order_turn_pause = 1s;          // while others have their turn
inline constexpr Duration first_window_pause = 1min;      // from the certificate to the question when to renew it
inline constexpr Duration window_retry_pause = 1h;        // when that was not answered
inline constexpr Duration window_absent_pause = 24h;      // when the server does not say it
inline constexpr Duration revocation_retry_pause = 10min;
inline constexpr Duration state_lock_pause = 1s;    // until the lock of --state-dir is tried again
inline constexpr Duration state_retry_pause = 10s;  // when it could not be written
inline constexpr size_t stored_secret_nodes_max = 256;
inline constexpr Duration admin_answer_wait = 30s;  // of the commands that ask a running process
inline constexpr size_t admin_answer_bytes_max = 64 * 1024 * 1024;
inline constexpr Duration certificate_command_time_max = 15min;  // that `sluice cert issue` waits for the end
inline constexpr Duration certificate_command_look_pause = 300ms;
inline constexpr size_t certificate_commands_max = 64;       // that wait for the certificate manager
inline constexpr Duration certificate_command_wait = 2s;     // until it has taken one
inline constexpr size_t state_file_bytes_max = 1024 * 1024;  // of --state-dir
inline constexpr Duration dns_hook_time = 60s;               // for an executable, where no document says otherwise
inline constexpr Duration dns_hook_time_max = 10min;
inline constexpr Duration dns_hook_grace = 2s;             // from "please end" to the end
inline constexpr size_t dns_hook_output_bytes_max = 4096;  // that an error tells
inline constexpr Duration dns_exchange_time_max = 10s;     // connecting, one message and its answer
inline constexpr Duration dns_update_time_max = 40s;       // all exchanges of one change
inline constexpr Duration dns_txt_lookup_time_max = 10s;   // of one look at a record
inline constexpr unsigned dns_name_jumps_max = 127;        // of one name: as many as it can have labels

// --- ACME servers ----------------------------------------------------------------------------------
inline constexpr Duration acme_connect_timeout = 15s;  // with the TLS handshake
inline constexpr Duration acme_request_timeout = 60s;  // for all of one; some make the certificate in it
inline constexpr size_t acme_answer_bytes_max = 1024 * 1024;
inline constexpr size_t acme_fields_bytes_max = 32 * 1024;  // of the head of an answer
inline constexpr unsigned acme_fields_max = 100;            // in it
inline constexpr unsigned acme_redirects_max = 3;           // of the directory; nothing else is redirected
inline constexpr Duration acme_directory_lifetime = 1h;     // then it is fetched again
inline constexpr size_t acme_profiles_max = 50;             // in it
inline constexpr unsigned acme_nonce_retries_max = 60;      // of one request; Pebble refuses nine of ten if told to
inline constexpr unsigned acme_nonce_retries_quick = 10;    // of them, the first; before each other one there is a
inline constexpr Duration acme_nonce_pause = 50ms;          // pause
inline constexpr size_t acme_nonces_kept = 8;
inline constexpr size_t acme_nonce_bytes_max = 512;
inline constexpr size_t acme_url_bytes_max = 2048;
inline constexpr size_t acme_token_bytes_max = 256;         // of a challenge
inline constexpr int acme_nesting_max = 16;                 // of JSON
inline constexpr size_t acme_authorizations_max = 100;      // of an order
inline constexpr size_t acme_challenges_max = 20;           // of an authorization
inline constexpr size_t acme_alternate_chains_max = 10;     // of a certificate
inline constexpr size_t acme_chain_certificates_max = 10;   // of a chain
inline constexpr size_t acme_problem_bytes_max = 1024;      // of what a server says, in messages
inline constexpr size_t acme_subproblems_max = 10;          // in messages
inline constexpr Duration acme_retry_after_max = 30 * 24h;  // that a server can ask for
inline constexpr Duration acme_window_interval_min = 1min;  // RFC 9773 4.3.2: between two questions
inline constexpr Duration acme_window_interval_max = 24h;
inline constexpr Duration acme_window_interval_default = 6h;  // of a server that does not say

// --- Making certificates ---------------------------------------------------------------------------
inline constexpr size_t certificate_names_max = 100;                // as many as certificate authorities take
inline constexpr size_t self_signed_hosts_max = 1000;               // of a Gateway's server, or a command line
inline constexpr size_t certificate_name_bytes_max = 1024;          // e-mail addresses and URIs; a host has 253
inline constexpr size_t common_name_characters_max = 64;            // RFC 5280 appendix A: ub-common-name
inline constexpr size_t certificate_request_bytes_max = 16 * 1024;  // a user's, as PEM
inline constexpr size_t issuer_chain_certificates_max = 10;         // the CA, and who is above it
inline constexpr size_t issuer_pem_bytes_max = 256 * 1024;          // of these, as PEM
inline constexpr size_t private_key_pem_bytes_max = 16 * 1024;      // RSA-4096 takes 3 300
inline constexpr Duration certificate_duration_min = 1min;
inline constexpr Duration certificate_duration_max = 366 * 10 * 24h;  // ten years
inline constexpr Duration certificate_backdating_max = 5min;          // for clients whose clock is behind

static_assert(receive_buffers_min <= receive_buffers_max && receive_buffers_max <= 32'768,
              "a buffer ring has at most 2^15 entries");
static_assert(chunk_bytes >= tls_plaintext_bytes + 5 + 256, "a chunk holds a record with header, padding and tag");
static_assert(exchange_arena_bytes_max >= 2 * head_bytes_max + trailer_bytes_max,
              "request and response heads share the arena");
static_assert(client_hello_bytes_max <= read_high_when_scarce_bytes &&
                  read_high_when_scarce_bytes <= read_high_bytes / 2,
              "a ClientHello must fit before receiving pauses");
static_assert(session_lifetime <= 2 * ticket_key_lifetime, "by then no key of our own opens the ticket");
static_assert(head_bytes_max < read_high_bytes);
static_assert(http2_stream_window_bytes <= http2_client_window_bytes);
static_assert(http2_upstream_window_bytes < 1U << 31, "RFC 9113 6.9.1");
static_assert(request_head_timeout <= client_idle_timeout);
static_assert(dns_lookups_under_way_max + dns_lookups_waiting_max < dns_names_max,
              "a name that is being looked up is not forgotten meanwhile");
static_assert(connect_attempt_delay * connect_race_max < upstream_connect_timeout, "each address has its turn");

}  // namespace sluice::limits

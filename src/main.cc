// The command line. Exit codes: 0 done, 1 failed, 2 wrong usage.

#include "config/json_schema.h"
#include "config/wording.h"
#include "control/certificate_commands.h"
#include "control/commands.h"
#include "control/run.h"
#include "renewal/revocation_reason.h"
#include "sample/upstream.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr int kUsageError = 2;
// A browser refuses longer ones, and so does common sense.
constexpr int kCertificateDaysMax = 3650;
constexpr int kDrainSecondsMax = 24 * 3600;

// CLI11 reports what a check returns: the name of the option comes before it.
std::string check_address(const std::string& text) {
  return SocketAddress::parse(text) ? ""
                                    : "'" + text + "' is no address with a port; write 127.0.0.1:8080 or [::1]:8080";
}

std::string check_dns_servers(const std::string& text) {
  for (const std::string& server : CLI::detail::split(text, ',')) {
    if (!SocketAddress::from_ip(server, 53) && !SocketAddress::parse(server)) {
      return "'" + server + "' is no address; write 10.0.0.10, 10.0.0.10:53 or [::1]:53, with commas between several";
    }
  }
  return "";
}

std::string check_kind(const std::string& text) {
  const std::vector<std::string_view> kinds = config::kinds_with_json_schema();
  if (text.empty() || std::ranges::find(kinds, text) != kinds.end()) return "";
  return "no kind " + config::in_quotes(text) + " is read; there are " + config::quoted_list(kinds);
}

CLI::Option* add_config_option(CLI::App& command, std::vector<std::string>& paths) {
  return command
      .add_option("--config", paths,
                  "Kubernetes documents: YAML or JSON files, or folders of them (not recursive). May be repeated")
      ->type_name("PATH")
      ->required();
}

const std::vector<std::pair<std::string, certs::KeyType>> kKeyTypes = {
    {"rsa-2048", certs::KeyType::rsa_2048},     {"rsa-3072", certs::KeyType::rsa_3072},
    {"rsa-4096", certs::KeyType::rsa_4096},     {"ecdsa-p256", certs::KeyType::ecdsa_p256},
    {"ecdsa-p384", certs::KeyType::ecdsa_p384},
};

const std::vector<std::pair<std::string, control::CheckFormat>> kCheckFormats = {
    {"text", control::CheckFormat::text},
    {"json", control::CheckFormat::json},
    {"github", control::CheckFormat::github},
};

template <typename Value>
std::vector<std::string> names_of(const std::vector<std::pair<std::string, Value>>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

// Each add_* function defines one command and what it does; `exit_code` is set when it has run.

void add_run(CLI::App& app, int& exit_code) {
  struct Arguments {
    control::RunOptions options;
    std::string status = "0.0.0.0:15021";
    std::string admin = "127.0.0.1:15000";
    std::optional<int> drain_seconds;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "run", "Serve. SIGHUP reloads the configuration, SIGTERM drains and ends, SIGUSR1 opens the access log again");
  add_config_option(*command, arguments->options.config_paths);
  command->add_flag("--watch", arguments->options.watches, "Reload when the files of the configuration change");
  command
      ->add_option("--concurrency", arguments->options.shard_count,
                   "Shards, each a thread with its own ring; default: MeshConfig's concurrency, else one per CPU that "
                   "this process may use")
      ->type_name("N")
      ->check(CLI::Range(1U, limits::shards_max));
  command
      ->add_option("--status", arguments->status,
                   "Where GET /healthz/ready answers 200 while requests are served, else 503")
      ->type_name("ADDR:PORT")
      ->check(check_address)
      ->capture_default_str();
  command
      ->add_option(
          "--admin", arguments->admin,
          "Where people and Prometheus look inside: /stats/prometheus, /config_dump, /routes, /explain, /certs")
      ->type_name("ADDR:PORT")
      ->check(check_address)
      ->capture_default_str();
  command
      ->add_option(
          "--access-log", arguments->options.access_log,
          "File to append to, '-' for standard output, or 'off'; default: MeshConfig's accessLogFile, else '-'")
      ->type_name("PATH");
  command
      ->add_option("--drain-timeout", arguments->drain_seconds,
                   "How long open connections may take to end after SIGTERM; default: MeshConfig's "
                   "terminationDrainDuration, else 45")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, kDrainSecondsMax));
  command
      ->add_option(
          "--rsa-signing", arguments->options.rsa_signing,
          "How RSA signatures are made: several at once where the processor can (AVX-512 IFMA), or one by one; "
          "batched and single force either")
      ->type_name("WAY")
      ->check(CLI::IsMember({"automatic", "batched", "single"}))
      ->capture_default_str();
  command
      ->add_option("--state-dir", arguments->options.state_directory,
                   "Where certificates that documents ask for are kept, with their keys; made if it is not there")
      ->type_name("DIR")
      ->capture_default_str();
  command
      ->add_option("--dns-servers", arguments->options.dns_servers,
                   "Name servers to ask; default: those of /etc/resolv.conf")
      ->type_name("ADDR[:PORT],...")
      ->check(check_dns_servers);
  command->callback([arguments, &exit_code] {
    arguments->options.status_address = *SocketAddress::parse(arguments->status);
    arguments->options.admin_address = *SocketAddress::parse(arguments->admin);
    if (arguments->drain_seconds) arguments->options.drain_timeout = std::chrono::seconds(*arguments->drain_seconds);
    exit_code = control::run(arguments->options);
  });
}

void add_check(CLI::App& app, int& exit_code) {
  struct Arguments {
    control::CheckOptions options;
    std::string format = "text";
    std::string kind;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("check",
                                         "Say everything that is wrong with a configuration, its certificates "
                                         "included, as FILE:LINE:COLUMN");
  command->footer(
      "Exit codes: 0 it can serve (with warnings, perhaps), 1 it has an error (with --strict: or a warning), 2 wrong "
      "usage.\nDiagnostics go to standard output, a summary to standard error.");
  CLI::Option* config = add_config_option(*command, arguments->options.config_paths)->required(false);
  command
      ->add_option(
          "--format", arguments->format,
          "A line for each diagnostic; one JSON object, with the field of each and hints; or workflow commands, "
          "which GitHub shows beside the lines of a pull request")
      ->type_name("FORMAT")
      ->check(CLI::IsMember(names_of(kCheckFormats)))
      ->capture_default_str();
  command->add_flag("--strict", arguments->options.is_strict, "Warnings fail, too");
  CLI::Option* schema = command
                            ->add_option("--print-schema", arguments->kind,
                                         "Print JSON Schema of all kinds, or of one, for editors; checks nothing")
                            ->type_name("[KIND]")
                            ->expected(0, 1)
                            ->check(check_kind);
  // For the project itself: docs/compatibility.md.
  CLI::Option* compatibility = command->add_flag("--print-compatibility")->group("");
  config->excludes(schema)->excludes(compatibility);
  command->callback([=, &exit_code] {
    if (*schema) {
      exit_code = control::print_schema(arguments->kind);
    } else if (*compatibility) {
      exit_code = control::print_compatibility();
    } else if (*config) {
      for (const auto& [name, format] : kCheckFormats) {
        if (name == arguments->format) arguments->options.format = format;
      }
      exit_code = control::check(arguments->options);
    } else {
      throw CLI::RequiredError(config->get_name());
    }
  });
}

void add_explain(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> paths;
    control::ExplainRequest request;
    std::string client = "127.0.0.1";
    bool as_json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("explain",
                         "Say which way a request would take, and why: listener, server, host, route, the answer or "
                         "the request as it goes "
                         "upstream. By the code that serves, without serving; certificates may be missing");
  // One each: the next word is the URL.
  add_config_option(*command, arguments->paths)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("url", arguments->request.url,
                   "https://host[:port]/path?query, as the client has it: the port is the Gateway's")
      ->type_name("URL")
      ->required();
  command->add_option("-X,--method", arguments->request.method, "Method of the request")
      ->type_name("METHOD")
      ->capture_default_str();
  command
      ->add_option("-H,--header", arguments->request.fields,
                   "'Name: value'; Host takes the place of the URL's, which stays the SNI. May be repeated")
      ->type_name("FIELD")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* client = command->add_option("--client", arguments->client, "Address that the request comes from");
  client->type_name("IP")
      ->check([](const std::string& text) {
        return SocketAddress::from_ip(text, 0) ? "" : "'" + text + "' is no IP address";
      })
      ->capture_default_str();
  command
      ->add_option("--unix-socket", arguments->request.unix_socket,
                   "Path, or '@name', of a Unix socket that a Gateway binds, and that the request comes to")
      ->type_name("PATH")
      ->excludes(client);  // behind it clients have no address
  command->add_flag("--json", arguments->as_json, "For programs");
  command->callback([arguments, &exit_code] {
    arguments->request.client = *SocketAddress::from_ip(arguments->client, 0);
    arguments->request.time = std::chrono::system_clock::now();
    exit_code = control::explain(arguments->paths, arguments->request, arguments->as_json);
  });
}

void add_routes(CLI::App& app, int& exit_code) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "routes", "Print every listener, server, host and route, in the order in which routes are tried");
  add_config_option(*command, *paths);
  command->add_flag("--json", *as_json, "For programs, and with everything that a route has");
  command->callback([paths, as_json, &exit_code] { exit_code = control::show_routes(*paths, *as_json); });
}

void add_self_signed(CLI::App& cert, int& exit_code) {
  struct Arguments {
    certs::SelfSignedOptions options;
    std::string out;
    std::string name = "kyma-gateway-certs";
    std::string name_space = "istio-system";
    std::string key_type = "rsa-2048";
    int days = 90;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = cert.add_subcommand(
      "self-signed", "Make a key and a self-signed certificate, for a first start and for tests; written as a Secret");
  command
      ->add_option("--host", arguments->options.hosts, "DNS name ('*.example.com' too) or IP address. May be repeated")
      ->type_name("HOST")
      ->required();
  command->add_option("--out", arguments->out, "File to write, readable by its owner only; an existing one is replaced")
      ->type_name("FILE")
      ->required();
  command->add_option("--name", arguments->name, "Name of the Secret: the Gateway's credentialName")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--namespace", arguments->name_space, "Namespace of the Secret")
      ->type_name("NS")
      ->capture_default_str();
  command->add_option("--key-type", arguments->key_type, "The kyma-gateway's cipher suites need an RSA key")
      ->type_name("TYPE")
      ->check(CLI::IsMember(names_of(kKeyTypes)))
      ->capture_default_str();
  command->add_option("--days", arguments->days, "Lifetime")
      ->type_name("N")
      ->check(CLI::Range(1, kCertificateDaysMax))
      ->capture_default_str();
  command->callback([arguments, &exit_code] {
    arguments->options.lifetime = std::chrono::hours(24 * arguments->days);
    for (const auto& [name, type] : kKeyTypes) {
      if (name == arguments->key_type) arguments->options.key_type = type;
    }
    exit_code = control::write_self_signed(arguments->options, arguments->name, arguments->name_space, arguments->out);
  });
}

CLI::Option* add_state_option(CLI::App& command, std::string& directory) {
  return command
      .add_option("--state-dir", directory, "Where sluice keeps the certificates that it has obtained, and their keys")
      ->type_name("DIR")
      ->capture_default_str();
}

// An option that other commands of the family have: who tries it here is told what to do.
void refuse_option(CLI::App& command, const std::string& name, const std::string& remedy) {
  command.add_option(name)->group("")->check([remedy](const std::string&) { return remedy; });
}

// What looks at certificates, and what changes them.
void add_certificate_commands(CLI::App& cert, int& exit_code) {
  struct Arguments {
    std::string state_directory = control::default_state_directory;
    std::string admin;
    std::string name;
    std::string reason;
    bool as_json = false;
  };
  const auto add = [&](const char* verb, const char* description, bool has_name, bool is_command, auto run) {
    const auto arguments = std::make_shared<Arguments>();
    if (is_command) arguments->admin = "127.0.0.1:15000";
    CLI::App* command = cert.add_subcommand(verb, description);
    CLI::Option* admin = command
                             ->add_option("--admin", arguments->admin,
                                          is_command ? "The --admin of the running sluice"
                                                     : "Ask the running sluice with this --admin, which knows most")
                             ->type_name("ADDR:PORT")
                             ->check(check_address);
    if (is_command) {
      admin->capture_default_str();
      refuse_option(*command, "--state-dir", "the running sluice does it, in its own directory; name it with --admin");
    } else {
      add_state_option(*command, arguments->state_directory)->excludes(admin);
    }
    command->add_flag("--json", arguments->as_json, "For programs");
    if (has_name) {
      command->add_option("name", arguments->name, "Of the Certificate; without namespace: of istio-system")
          ->type_name("[NAMESPACE/]NAME")
          ->required();
    }
    command->callback([arguments, run, &exit_code] { exit_code = run(*arguments); });
    return std::pair(command, arguments);
  };
  const auto source_of = [](const Arguments& arguments) {
    control::CertificateSource source{.state_directory = arguments.state_directory, .admin = {}};
    if (!arguments.admin.empty()) source.admin = *SocketAddress::parse(arguments.admin);
    return source;
  };
  add("list", "Show the certificates that sluice obtains and renews", false, false,
      [source_of](const Arguments& arguments) {
        return control::list_certificates(source_of(arguments), arguments.as_json);
      });
  add("show", "Show one of them", true, false, [source_of](const Arguments& arguments) {
    return control::show_certificate(source_of(arguments), arguments.name, arguments.as_json);
  });
  const auto add_command = [&](const char* verb, const char* description, renewal::Command order) {
    return add(verb, description, true, true, [order](const Arguments& arguments) {
      return control::command_certificate(*SocketAddress::parse(arguments.admin), order, arguments.name,
                                          arguments.reason, arguments.as_json);
    });
  };
  add_command("issue", "Obtain one that is not there or has failed, now", renewal::Command::issue);
  add_command("renew", "Obtain one anew, now", renewal::Command::renew);
  const auto [revoke, arguments] =
      add_command("revoke", "Revoke one at the server that has issued it", renewal::Command::revoke);
  std::vector<std::string> reasons;
  for (const auto& [name, code] : renewal::kRevocationReasons) reasons.emplace_back(name);
  revoke->add_option("--reason", arguments->reason, "Why, as the server is told; it may refuse some")
      ->type_name("REASON")
      ->check(CLI::IsMember(reasons));
}

void add_import(CLI::App& cert, int& exit_code) {
  const auto options = std::make_shared<control::ImportOptions>();
  options->state_directory = control::default_state_directory;
  CLI::App* command = cert.add_subcommand(
      "import", "Take a certificate of your own: checked, and put into the state directory as a Secret");
  command
      ->add_option("name", options->name,
                   "Of the Secret, the Gateway's credentialName; without namespace: of istio-system")
      ->type_name("[NAMESPACE/]NAME")
      ->required();
  command->add_option("--cert", options->chain_path, "The certificate, and behind it who has issued it (PEM)")
      ->type_name("FILE")
      ->required();
  command->add_option("--key", options->key_path, "Its key (PEM, not encrypted)")->type_name("FILE")->required();
  command->add_option("--ca", options->ca_path, "Becomes ca.crt (PEM)")->type_name("FILE");
  add_state_option(*command, options->state_directory);
  refuse_option(*command, "--admin", "a file is written, which a running sluice finds; name its --state-dir");
  command->callback([options, &exit_code] { exit_code = control::import_certificate(*options); });
}

void add_cert(CLI::App& app, int& exit_code) {
  CLI::App* cert = app.add_subcommand("cert", "Make certificates; look after those that sluice obtains");
  cert->require_subcommand(1);
  add_certificate_commands(*cert, exit_code);
  add_import(*cert, exit_code);
  add_self_signed(*cert, exit_code);
}

void add_sample_upstream(CLI::App& app, int& exit_code) {
  const auto address = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "sample-upstream", "Serve sample pages in the manner of httpbin, to try sluice with; GET / lists them");
  command->add_option("--listen", *address, "Where to listen; port 0 takes any free one")
      ->type_name("ADDR:PORT")
      ->check(check_address)
      ->required();
  command->callback([address, &exit_code] { exit_code = sample::run_upstream(*SocketAddress::parse(*address)); });
}

int run_command_line(int argc, char** argv) {
  int exit_code = 0;
  CLI::App app(
      "sluice: a reverse proxy on io_uring that takes the place of an Istio ingress gateway, with the same documents.",
      "sluice");
  app.require_subcommand(1);
  app.set_version_flag("--version", "sluice " SLUICE_VERSION);
  app.footer("'sluice COMMAND --help' explains a command.");
  add_run(app, exit_code);
  add_check(app, exit_code);
  add_explain(app, exit_code);
  add_routes(app, exit_code);
  add_cert(app, exit_code);
  add_sample_upstream(app, exit_code);
  app.add_subcommand("version", "Print the version, and those of the libraries inside")->callback([] {
    control::print_version();
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come here too, with code 0.
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  return exit_code;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) { return sluice::run_command_line(argc, argv); }

// Documents by hostile or clumsy hands. Each of them loads or is an error with a reason, and what is said of it is
// bounded and safe to print: what counts here is how much, not how long.
#include "config_testing.h"

#include "base/limits.h"
#include "config/utf8.h"
#include "config/yaml_document.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {
namespace {

constexpr size_t text_bytes_max = 2000;  // of a diagnostic

struct Verdict {
  bool loads = false;
  std::vector<Diagnostic> diagnostics;
  std::string errors;  // their texts, one a line
};

// Whatever is loaded: what is said is bounded, printable, and agrees with the result.
Verdict load_hostile(std::string_view text) {
  Diagnostics diagnostics;
  Verdict verdict;
  verdict.loads = load_text("test.yaml", text, diagnostics) != nullptr;
  verdict.diagnostics = diagnostics.sorted();
  EXPECT_EQ(verdict.loads, !diagnostics.has_errors());
  EXPECT_LE(verdict.diagnostics.size(), 3 * (limits::config_diagnostics_max + 1));
  for (const Diagnostic& diagnostic : verdict.diagnostics) {
    const std::string line = diagnostic.to_string();
    EXPECT_LE(line.size(), text_bytes_max) << line.substr(0, text_bytes_max);
    EXPECT_LE(diagnostic.field.size(), text_bytes_max);
    for (const std::string& part : {line, diagnostic.field}) {
      EXPECT_EQ(part.find_first_of("\r\n\t"), std::string::npos) << part;
      EXPECT_FALSE(find_bad_byte(part).has_value()) << part;
    }
    if (diagnostic.severity == Severity::error) verdict.errors += line + "\n";
  }
  return verdict;
}

std::string repeated(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

// "1", "22", "333": with the number of each in the place of '#'.
std::string numbered(std::string_view pattern, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) {
    for (const char c : pattern) c == '#' ? result += std::to_string(i) : result += c;
  }
  return result;
}

// --- Whole files -----------------------------------------------------------------------------------

struct HostileFile {
  std::string name;  // of the case
  std::string text;
  std::string error;  // a part of it; empty: it loads
};

const std::string entry(app_entry);

// Anchors that double, triple, ... with every line, by lists, mappings, merge keys.
std::string bomb(std::string_view first, std::string_view list_start, std::string_view list_end, size_t width,
                 size_t lines) {
  std::string text = fmt::format("a0: &a0 {}\n", first);
  for (size_t i = 1; i < lines; ++i) {
    text += fmt::format("a{0}: &a{0} {1}", i, list_start);
    for (size_t j = 0; j < width; ++j) text += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    text += fmt::format("{}\n", list_end);
  }
  return text;
}

std::vector<HostileFile> hostile_files() {
  static constexpr std::string_view expands = "the anchors and aliases of this file expand to more than";
  static constexpr std::string_view no_document = "a document must say its apiVersion";
  static constexpr std::string_view deep = "nested deeper than 64 levels";
  std::vector<HostileFile> files;
  const auto add = [&](std::string name, std::string text, std::string_view error) {
    files.push_back({std::move(name), std::move(text), std::string(error)});
  };

  // Nothing in it.
  for (const std::string_view text :
       {"", "\n", " ", "---", "---\n", "---\n---\n---\n", "...\n", "--- ~\n", "# comment", "#", "\n\n\n# x\n---\n# y\n",
        "\xef\xbb\xbf", "\xef\xbb\xbf\n", "\xef\xbb\xbf---\n", "\r\n", "\r\n---\r\n", "null", "~\n"})
    add(fmt::format("nothing_{}", files.size()), std::string(text), "");
  add("a_hundred_thousand_empty_documents", repeated("---\n", 100'000), "");

  // Not an object.
  for (const std::string_view text :
       {"text", "1", "true", "''", "\"\"", "[]", "[1]", "- a\n- b\n", "- ", "|\n  x\n", "- {}\n", "--- text\n", "-",
        "!!str", "'null'", "[[[]]]", "? ", "-1.5e9\n", "---\n- 1\n---\n- 2\n"})
    add(fmt::format("no_object_{}", files.size()), std::string(text), "error: ");
  add("empty_object", "{}", "a document must say its");
  add("only_kind", "kind: Gateway", "a document must say its apiVersion");
  add("kind_is_a_list", "apiVersion: v1\nkind: [Secret]\n", "a document must say its kind");
  add("kind_is_an_object", "apiVersion: v1\nkind: {a: b}\n", "a document must say its kind");
  add("list_in_a_list_of_documents", "apiVersion: v1\nkind: List\nitems: [[], 1, ~]\n", "must be an object");
  add("items_is_a_text", "apiVersion: v1\nkind: List\nitems: x\n", "items: must be a list");
  add("lists_of_documents_in_each_other", repeated("{apiVersion: v1, kind: List, items: [", 30) + repeated("]}", 30),
      "");
  add("lists_of_documents_too_deep", repeated("{apiVersion: v1, kind: List, items: [", 40) + repeated("]}", 40), deep);

  // Encodings, line ends and bytes.
  add("byte_order_mark", "\xef\xbb\xbf" + entry, "");
  add("byte_order_mark_twice", "\xef\xbb\xbf\xef\xbb\xbf" + entry, "");
  add("byte_order_mark_of_utf_16", std::string("\xff\xfe", 2) + "a\0:\0", "bytes that are not UTF-8");
  add("byte_order_mark_of_utf_32", std::string("\0\0\xfe\xff", 4) + entry, "a NUL byte");
  add(
      "windows_line_ends",
      [] {
        std::string text;
        for (const char c : entry) c == '\n' ? text += "\r\n" : text += c;
        return text;
      }(),
      "");
  add(
      "old_mac_line_ends",
      [] {
        std::string text = entry;
        std::ranges::replace(text, '\n', '\r');
        return text;
      }(),
      "");
  for (const std::string_view bytes :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98"}) {
    add(fmt::format("bad_utf_8_in_a_value_{}", files.size()), entry + "a: x" + std::string(bytes),
        "bytes that are not UTF-8");
    add(fmt::format("bad_utf_8_in_a_key_{}", files.size()), std::string(bytes) + ": x\n", "bytes that are not UTF-8");
    add(fmt::format("bad_utf_8_in_a_comment_{}", files.size()), entry + "# " + std::string(bytes) + "\n",
        "bytes that are not UTF-8");
  }
  for (int byte = 0; byte < 0x20; ++byte) {
    if (byte == '\t' || byte == '\n' || byte == '\r') continue;
    const std::string text(1, static_cast<char>(byte));
    const std::string_view error = byte == 0 ? "a NUL byte" : "a control character";
    add(fmt::format("control_character_{:02x}_in_a_value", byte), "a: b" + text + "c\n", error);
    add(fmt::format("control_character_{:02x}_in_a_comment", byte), "# " + text + "\n" + entry, error);
  }
  add("nul_at_the_end", entry + std::string(1, '\0'), "a NUL byte");
  add("nul_escaped", "apiVersion: v1\nkind: \"Se\\0cret\"\nmetadata: {name: x}\n", "");  // a kind that is not known
  add("tab_for_indentation", "a:\n\tb: c\n", "tab");
  add("tab_behind_a_hyphen", "-\t- a\n", "error: ");
  add("tabs_in_json", "{\t\"apiVersion\":\t\"v1\",\n\t\"kind\":\t\"Unknown\"\t}\n", "");
  add("tab_in_a_text", "apiVersion: v1\nkind: Secret\nmetadata: {name: \"a\\tb\"}\n", "control character");

  // JSON that is none.
  add("json_with_line_comments", "// a comment\n{\"apiVersion\": \"v1\"}\n", "error: ");
  add("json_with_block_comments", "{\"apiVersion\": \"v1\", /* a comment */ \"kind\": \"Secret\"}\n", "error: ");
  add("json_with_yaml_comments", "{\"apiVersion\": \"v1\", # a comment\n \"kind\": \"Unknown\"}\n", "");
  add("json_with_a_comma_at_the_end", "{\"apiVersion\": \"v1\", \"kind\": \"Unknown\",}\n", "");
  add("json_with_two_objects", "{\"apiVersion\": \"v1\", \"kind\": \"Unknown\"} {}\n", "error: ");
  add("json_with_a_lone_surrogate", "{\"apiVersion\": \"\\ud800\", \"kind\": \"Unknown\"}\n", "error: ");
  add("json_not_closed", "{\"apiVersion\": \"v1\", \"kind\": \"Secret\"", "error: ");

  // Keys.
  add("duplicate_key", "a: 1\na: 2\n", "the key \"a\" is there twice; first in line 1");
  add("duplicate_key_in_quotes", "a: 1\n\"a\": 2\n", "is there twice");
  add("duplicate_key_by_an_escape", "a: 1\n\"\\x61\": 2\n", "is there twice");
  add("duplicate_key_of_merges", "<<: {a: 1}\n<<: {a: 2}\n", "is there twice");
  add("duplicate_empty_key", "{'': 1, '': 2}\n", "is there twice");
  add("key_is_a_list", "[a]: b\n", "a key must be");
  add("key_is_an_object", "{a: b}: c\n", "a key must be");
  add("key_is_an_alias", "a: &x b\n*x : c\n", "a key must be");
  add("key_of_a_mebibyte", std::string(1 << 20, 'k') + ": 1\n", "error: ");
  add("key_of_a_mebibyte_in_quotes", "\"" + std::string(1 << 20, 'k') + "\": 1\n", "error: ");
  add("key_of_line_ends", "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n\"a\\n\\e[2J\": 1\n",
      R"("a\x0a\x1b[2J")");
  add("key_of_a_mebibyte_in_a_document",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n? " + std::string(1 << 20, 'k') + "\n: 1\n", "unknown field");
  add("hundred_thousand_keys", numbered("k#: 1\n", 100'000), "a document must say its");

  // Texts.
  add("text_of_eight_mebibytes", "apiVersion: v1\nkind: " + std::string(8 << 20, 'x') + "\n", "");
  add("text_of_eight_mebibytes_in_a_field",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(8 << 20, 'x') + "}\n", "is not a name");
  add("file_of_more_than_sixteen_mebibytes", "# " + std::string(limits::config_file_bytes_max, 'x'), "larger than");
  add("block_of_a_hundred_thousand_lines", "apiVersion: v1\nkind: Unknown\na: |\n" + repeated("  x\n", 100'000), "");
  add("folded_block_of_a_hundred_thousand_lines", "apiVersion: v1\nkind: Unknown\na: >\n" + repeated("  x\n", 100'000),
      "");
  add("text_not_closed", "a: \"" + std::string(1000, 'x'), "error: ");
  add("text_over_a_hundred_thousand_lines_not_closed", "a: '" + repeated("x\n", 100'000), "error: ");
  add("escape_that_is_none", "a: \"\\q\"\n", "error: ");
  add("escape_beyond_unicode", "a: \"\\UFFFFFFFF\"\n", "error: ");

  // Depth.
  add("lists_too_deep", repeated("[", 100'000), deep);
  add("lists_too_deep_and_closed", repeated("[", 10'000) + repeated("]", 10'000), deep);
  add("objects_too_deep", repeated("{a: ", 100'000), deep);
  add("block_lists_too_deep", repeated("- ", 100'000), deep);
  add("closed_only", repeated("]", 100'000), "error: ");
  add("as_deep_as_may_be", "apiVersion: v1\nkind: Unknown\na: " + repeated("[", 63) + repeated("]", 63), "");

  // Anchors.
  add("bomb_of_lists", bomb("[x, x]", "[", "]", 10, 10), expands);
  add("bomb_of_pairs", bomb("x", "[", "]", 2, 60), expands);
  add("bomb_of_merges", bomb("{x: 1}", "{<<: [", "]}", 10, 10), no_document);
  add("bomb_of_a_long_list", fmt::format("a: &a [{}]\nb: [{}]\n", repeated("x, ", 50'000), repeated("*a, ", 50'000)),
      expands);
  add("bomb_of_texts", fmt::format("a: &a {}\nb: [{}]\n", std::string(1 << 20, 'x'), repeated("*a, ", 1000)), expands);
  add("bomb_in_keys", bomb("{x: 1}", "{k: [", "]}", 10, 10), expands);
  add("anchors_without_end", numbered("a#: &a# x\n", 60'000), no_document);
  add("anchor_of_a_mebibyte", "a: &" + std::string(1 << 20, 'a') + " b\n", no_document);
  add("alias_of_a_mebibyte", "a: *" + std::string(1 << 20, 'a') + "\n", "no anchor");
  add("alias_of_itself", "a: &a [*a]\n", "no anchor \"a\" stands before this");
  add("merge_of_itself", "a: &a {<<: *a}\n", "no anchor \"a\" stands before this");
  add("alias_of_another_document", "a: &a b\n---\nc: *a\n", "no anchor");
  add("merge_of_a_text", "<<: x\n", "<< merges mappings only");

  // What YAML has beside.
  add("tag_of_python", "a: !!python/object/apply:os.system [id]\n", "is not supported");
  add("tag_of_binary", "a: !!binary AAAA\n", "is not supported");
  add("tag_of_a_mebibyte", "a: !" + std::string(1 << 20, 't') + " b\n", "error: ");
  add("directive_of_another_version", "%YAML 3.0\n---\na: b\n", "error: ");
  add("directive_alone", "%TAG ! tag:x,2000:\n", "error: ");
  add("hundred_thousand_directives", repeated("%FOO x\n", 100'000) + "---\na: b\n", "error: ");
  add("complex_key", "? [a, b]\n: c\n", "a key must be");
  add("reserved_characters", "a: @b\n", "error: ");
  return files;
}

// The name of the case is enough in a failure.
void PrintTo(const HostileFile& file, std::ostream* out) { *out << file.name; }

class HostileFiles : public testing::TestWithParam<HostileFile> {};

TEST_P(HostileFiles, LoadOrAreRefusedWithAReason) {
  const Verdict verdict = load_hostile(GetParam().text);
  EXPECT_TRUE(verdict.errors.contains(GetParam().error)) << verdict.errors;
  if (GetParam().error.empty()) {
    EXPECT_EQ(verdict.errors, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Table, HostileFiles, testing::ValuesIn(hostile_files()),
                         [](const testing::TestParamInfo<HostileFile>& file) { return file.param.name; });

// --- Values ----------------------------------------------------------------------------------------

// Documents of every kind that is read, one value a line.
constexpr std::string_view one_of_each = R"(apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: gw
  namespace: default
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {a: b}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    bind: 127.0.0.1
    hosts: ["*.example.com"]
    tls:
      mode: SIMPLE
      credentialName: certs
      minProtocolVersion: TLSV1_2
      cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [a.example.com]
  gateways: [gw]
  exportTo: ["*"]
  http:
  - name: r
    match: [{uri: {prefix: /}}]
    timeout: 10s
    route:
    - destination:
        host: app.example
        port: {number: 80}
      weight: 1
      headers: {request: {set: {a: b}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: app}
spec:
  hosts: [app.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  location: MESH_EXTERNAL
  endpoints: [{address: 127.0.0.1, ports: {http: 8000}, weight: 1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wide}
spec:
  hosts: ["*.wide.example"]
  addresses: [10.0.0.0/8]
  ports:
  - number: 443
    name: tls
    protocol: TLS
    targetPort: 8443
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: selecting}
spec:
  hosts: [selecting.example]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  workloadSelector:
    labels: {app: a}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: workload}
spec:
  address: 10.0.0.1
  ports: {http: 8080}
  labels: {app: a}
  weight: 1
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mesh}
spec:
  hosts: [a.wide.example]
  tls:
  - match:
    - sniHosts: [a.wide.example]
      destinationSubnets: [10.0.0.0/8]
      port: 443
      sourceLabels: {istio: ingressgateway}
    route: [{destination: {host: a.wide.example}}]
  tcp:
  - match: [{port: 443}]
    route: [{destination: {host: a.wide.example}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: rule}
spec:
  host: app.example
  trafficPolicy:
    connectionPool: {tcp: {connectTimeout: 1s}}
    loadBalancer: {simple: RANDOM}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  type: LoadBalancer
  selector: {istio: ingressgateway}
  clusterIP: 10.0.0.1
  ports: [{port: 443, targetPort: 8443, name: https}]
---
apiVersion: v1
kind: Secret
metadata: {name: certs, namespace: istio-system}
data: {tls.crt: eA==, tls.key: eA==}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: istio
  namespace: istio-system
  annotations:
    sluice.io/proxy-bind: 127.0.0.1
    sluice.io/proxy-credential-name: certs
    sluice.io/proxy-tls-mode: SIMPLE
    sluice.io/proxy-credentials: users
    sluice.io/host-agreement: warn
data:
  mesh: |
    accessLogEncoding: TEXT
    proxyHttpPort: 3128
    proxyListenPort: 15001
    protocolDetectionTimeout: 1s
    outboundTrafficPolicy:
      mode: REGISTRY_ONLY
---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: istio-system}
stringData:
  username: ann
  password: secret
)";

const std::vector<std::string>& hostile_values() {
  static const std::vector<std::string> values = {
      "",
      "~",
      "''",
      "[]",
      "{}",
      "[[]]",
      "[~]",
      "{a: {b: c}}",
      "{'': ''}",
      "-1",
      "0",
      "4294967296",
      "99999999999999999999999999",
      "0x7fffffff",
      "1e999",
      ".nan",
      "true",
      "\"\\0\"",
      "\"\\e[31m\\n\\r::error::x\"",
      "\"\\u202e\\u2028\\ufeff\"",
      "\"\\x80\\x9f\"",
      "'%REQ(:PATH)%%%%'",
      "../../../etc/passwd",
      "file:///dev/zero",
      "'*'",
      "'*.*.*'",
      "'a..b'",
      "'[::1]:80'",
      "'/'",
      "|\n            x\n",
      "&x y",
      "*x",
      "!!int 1",
      "\"" + std::string(100'000, 'x') + "\"",
      "\"" + repeated("é", 50'000) + "\"",
      "[" + repeated("x, ", 20'000) + "]",
      "{" + numbered("k#: v, ", 5000) + "}",
  };
  return values;
}

// A line "  key: value" with another value, for each line that has one.
std::vector<std::string> with_each_value_replaced(std::string_view documents, std::string_view value) {
  std::vector<std::string> result;
  for (size_t start = 0; start < documents.size();) {
    const size_t end = documents.find('\n', start);
    const size_t colon = documents.find(": ", start);
    if (colon < end) {
      result.push_back(fmt::format("{}{}{}", documents.substr(0, colon + 2), value, documents.substr(end)));
    }
    start = end + 1;
  }
  return result;
}

TEST(HostileValues, BaseLoads) { EXPECT_EQ(load_hostile(one_of_each).errors, ""); }

TEST(HostileValues, InEveryFieldAreAcceptedOrRefused) {
  size_t count = 0;
  size_t refused_count = 0;
  for (const std::string& value : hostile_values()) {
    for (const std::string& text : with_each_value_replaced(one_of_each, value)) {
      SCOPED_TRACE(fmt::format("{} at {}", value.substr(0, 40), count));
      refused_count += load_hostile(text).loads ? 0 : 1;
      ++count;
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GT(count, 1500u);
  EXPECT_GT(refused_count, count / 2) << "most of these values fit nowhere";
}

// --- Counts ----------------------------------------------------------------------------------------

TEST(HostileDocuments, TenThousandErrorsAreCountedAndAThousandSaid) {
  const Verdict verdict =
      load_hostile(numbered("apiVersion: v1\nkind: Secret\nmetadata: {name: s#, nmae: x}\n---\n", 10'000));
  EXPECT_EQ(verdict.diagnostics.size(), limits::config_diagnostics_max + 1);
  EXPECT_EQ(verdict.diagnostics.back().message, "9000 more are not shown");
}

TEST(HostileDocuments, ErrorsOfOneDocumentAreBoundedAsWell) {
  const Verdict verdict =
      load_hostile("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + numbered("k#: 1\n", 10'000));
  EXPECT_EQ(verdict.diagnostics.size(), limits::config_diagnostics_max + 1);
}

TEST(HostileDocuments, WarningsAndInfosDoNotHideErrors) {
  const std::string text =
      numbered("apiVersion: example.com/v1\nkind: K#\n---\n", 10'000) + "apiVersion: v1\nkind: Secret\n";
  const Verdict verdict = load_hostile(text);
  EXPECT_TRUE(verdict.errors.contains("the field \"metadata\" is missing")) << verdict.errors;
}

// A small file whose routes and delegates make a hundred million pairs of matches.
TEST(HostileDocuments, DelegatesMakeABoundedNumberOfMatches) {
  const std::string matches = numbered("{uri: {prefix: /#}}, ", 1'000);
  const Verdict verdict = load_hostile(
      std::string(plain_gateway) +
      virtual_service("root", "hosts: [a.test], gateways: [gw], http: [" +
                                  repeated("{match: [" + matches + "], delegate: {name: leaf}}, ", 10) + "]") +
      virtual_service(
          "leaf",
          "http: [" + repeated("{match: [" + matches + "], route: [{destination: {host: app.example}}]}, ", 10) + "]") +
      entry);
  EXPECT_TRUE(verdict.errors.contains("routes that delegate and their delegates make more than"))
      << verdict.errors.substr(0, text_bytes_max);
}

struct Kept {
  size_t nodes = 0;
  size_t bytes = 0;  // of texts
};

void add(const Node& node, Kept& kept) {
  ++kept.nodes;
  kept.bytes += node.text.size();
  for (const Node& item : node.items) add(item, kept);
}

// Whatever a file expands to, what is kept of it is bounded: a mebibyte with a thousand aliases was a gibibyte.
TEST(HostileDocuments, AliasesExpandToBoundedNodesAndBytes) {
  const std::string mebibyte(1 << 20, 'x');
  for (const std::string& text :
       {bomb("[x, x]", "[", "]", 10, 10), bomb("x", "[", "]", 2, 60), bomb("{x: 1}", "{<<: [", "]}", 10, 10),
        numbered("a#: &a# [x, x, x]\n", 40'000), "a: &a [" + repeated("x, ", 900) + "]\n" + numbered("b#: *a\n", 400),
        "a: &a " + mebibyte + "\n" + numbered("b#: *a\n", 1000),
        "a: &a {b: " + mebibyte + "}\n" + numbered("b#: {<<: *a}\n", 1000)}) {
    const SourceText source{"test.yaml", text};
    Diagnostics diagnostics;
    NodeBudget budget(limits::config_nodes_max);
    const ParsedFile file = parse_yaml(source, budget, diagnostics);
    Kept kept;
    for (const Node& document : file.documents) add(document, kept);
    EXPECT_LE(kept.nodes, text.size() + limits::config_alias_nodes_max);
    EXPECT_LE(kept.bytes, text.size() + limits::config_file_bytes_max);
    EXPECT_LE(limits::config_nodes_max - budget.left(), text.size() + limits::config_alias_nodes_max);
  }
}

}  // namespace
}  // namespace sluice::config

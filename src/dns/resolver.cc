#include "dns/resolver.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "dns/address_answer.h"
#include "dns/channel.h"

#include <ares.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::dns {

namespace {

using Time = io::Deadline;

// How long, and for how many names, a channel takes questions: so resolv.conf is read anew, and so are the ports that
// answers must come to (RFC 5452 9.2).
constexpr auto kChannelLifetime = std::chrono::seconds(1);
constexpr unsigned kNamesPerChannel = 32;

// Without anything to do.
constexpr auto kIdleWait = std::chrono::minutes(1);

Time::duration to_clock(Duration duration) { return std::chrono::duration_cast<Time::duration>(duration); }

struct Question {
  std::string name;
  std::shared_ptr<NameAnswers> answers;
};

struct ByUse;
struct ByTurn;
struct ByDeadline;

// A name that was asked for. At most one look-up of it is under way.
struct Name : ListNode<ByUse>, ListNode<ByTurn>, ListNode<ByDeadline> {
  std::string text;
  std::vector<SocketAddress> addresses;  // of the last good answer, while it may serve
  std::string error;                     // of the last look-up; empty: it was good
  Time due{};                            // when it is to be looked up again
  Time addresses_end{};                  // when `addresses` are too old in any case
  std::vector<std::shared_ptr<NameAnswers>> askers;
  Time deadline{};  // when the askers have waited long enough
  bool is_under_way = false;

  [[nodiscard]] bool is_idle() const noexcept {
    return askers.empty() && !is_under_way && !static_cast<const ListNode<ByTurn>&>(*this).is_linked();
  }
};

// Some look-ups that were begun at about the same time.
struct Line {
  explicit Line(const std::string& servers) : channel(servers) {}

  [[nodiscard]] bool takes_more(Time now) const noexcept {
    return channel.error() == ARES_SUCCESS && begun_count < kNamesPerChannel && now - opened < kChannelLifetime;
  }

  const Time opened = std::chrono::steady_clock::now();
  unsigned begun_count = 0;
  unsigned under_way_count = 0;
  Channel channel;  // the last: it calls back when it ends
};

}  // namespace

class Resolver::Thread {
 public:
  Thread(std::string servers, int wake_fd) : servers_(std::move(servers)), wake_fd_(wake_fd) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "resolver");
      run();
    });
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake();
    thread_.join();
    close(wake_fd_);
  }

  // Any thread. False: there is no room.
  bool ask(std::string_view name, const std::shared_ptr<NameAnswers>& answers) {
    const std::lock_guard lock(mutex_);
    if (questions_.size() == limits::dns_questions_max) return false;
    questions_.push_back({std::string(name), answers});
    if (questions_.size() == 1) wake();
    return true;
  }

 private:
  struct Lookup {
    Thread* thread;
    Name* name;
    Line* line;
  };

  void wake() const noexcept {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  }

  void run() {
    while (take_questions()) {
      while (!waiting_.empty() && under_way_count_ < limits::dns_lookups_under_way_max) {
        --waiting_count_;
        begin(waiting_.pop_front());
      }
      wait();
      tell_late_askers();
      forget_old_names();
      std::erase_if(lines_, [this](const auto& line) { return line->under_way_count == 0 && !line->takes_more(now_); });
    }
    lines_.clear();  // calls back for what is under way
    while (!by_use_.empty()) by_use_.pop_front();
    while (!waiting_.empty()) waiting_.pop_front();
    while (!asked_.empty()) asked_.pop_front();
  }

  // False: it is time to end.
  bool take_questions() {
    std::vector<Question> questions;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_) return false;
      questions.swap(questions_);
    }
    now_ = std::chrono::steady_clock::now();
    for (Question& question : questions) take(question);
    return true;
  }

  void take(Question& question) {
    Name& name = find_or_add(question.name);
    if (now_ < name.due) return question.answers->put(answer_of(name));
    if (name.askers.empty()) {
      name.deadline = now_ + to_clock(limits::dns_lookup_time_max);
      asked_.push_back(name);
    }
    name.askers.push_back(std::move(question.answers));
    if (name.is_under_way || static_cast<ListNode<ByTurn>&>(name).is_linked()) return;
    if (waiting_count_ == limits::dns_lookups_waiting_max) {
      name.error = "too many names are being looked up";
      return tell(name);  // no failure of the name: it may be asked for again at once
    }
    ++waiting_count_;
    waiting_.push_back(name);
  }

  Name& find_or_add(const std::string& text) {
    const auto found = names_.find(text);
    if (found != names_.end()) {
      static_cast<ListNode<ByUse>&>(found->second).unlink();
      by_use_.push_back(found->second);
      return found->second;
    }
    if (names_.size() == limits::dns_names_max) {
      Name* unused = by_use_.find([](const Name& each) { return each.is_idle(); });
      CHECK(unused != nullptr);  // fewer than that are under way or wait
      forget(*unused);
    }
    Name& added = names_[text];
    added.text = text;
    by_use_.push_back(added);
    return added;
  }

  void forget(Name& name) {
    static_cast<ListNode<ByUse>&>(name).unlink();
    names_.erase(names_.find(name.text));
  }

  // What nobody has asked for lately, and is of no use to who asks next.
  void forget_old_names() {
    const auto is_old = [this](const Name& name) {
      return name.is_idle() && now_ >= name.due && now_ >= name.addresses_end;
    };
    while (!by_use_.empty() && is_old(by_use_.front())) forget(by_use_.front());
  }

  void begin(Name& name) {
    if (lines_.empty() || !lines_.back()->takes_more(now_)) lines_.push_back(std::make_unique<Line>(servers_));
    Line& line = *lines_.back();
    if (line.channel.error() != ARES_SUCCESS) {
      note_failure(name, line.channel.error());
      return tell(name);
    }
    ++line.begun_count;
    ++line.under_way_count;
    ++under_way_count_;
    name.is_under_way = true;
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = AF_UNSPEC;
    // Owned by the callback, which comes exactly once (and may come before the call returns).
    auto* lookup = new Lookup{this, &name, &line};
    ares_getaddrinfo(line.channel.get(), name.text.c_str(), nullptr, &hints, on_answer, lookup);
  }

  static void on_answer(void* owner, int status, int /*timeouts*/, ares_addrinfo* found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(owner));
    Thread& thread = *lookup->thread;
    Name& name = *lookup->name;
    --lookup->line->under_way_count;
    --thread.under_way_count_;
    name.is_under_way = false;
    if (status == ARES_EDESTRUCTION) return;  // the thread ends
    const FoundAddresses answer = status == ARES_SUCCESS && found != nullptr
                                      ? read_addresses(*found, limits::dns_requested_addresses_max)
                                      : FoundAddresses();
    ares_freeaddrinfo(found);
    if (answer.addresses.empty()) {
      thread.note_failure(name, status == ARES_SUCCESS ? ARES_ENODATA : status);
    } else {
      name.addresses = answer.addresses;
      name.error.clear();
      name.due = thread.now_ + to_clock(std::clamp(answer.ttl, limits::dns_ttl_min, limits::dns_ttl_max));
      name.addresses_end = name.due + to_clock(limits::dns_last_answer_lifetime);
    }
    thread.tell(name);
  }

  void note_failure(Name& name, int status) {
    if (status == ARES_ENOTFOUND) name.addresses.clear();
    name.error = ares_strerror(status);
    name.due = now_ + to_clock(limits::dns_failure_lifetime);
  }

  void tell(Name& name) {
    for (const auto& answers : std::exchange(name.askers, {})) answers->put(answer_of(name));
    static_cast<ListNode<ByDeadline>&>(name).unlink_if_linked();
  }

  [[nodiscard]] NameAnswer answer_of(const Name& name) const {
    const Duration lifetime = std::max<Duration>(name.due - now_, Duration{});
    if (!name.addresses.empty() && now_ < name.addresses_end) return {name.text, name.addresses, lifetime, {}};
    return {name.text, {}, lifetime, name.error};
  }

  // The look-up goes on, and what it finds is remembered.
  void tell_late_askers() {
    while (!asked_.empty() && asked_.front().deadline <= now_) {
      Name& name = asked_.front();
      note_failure(name, ARES_ETIMEOUT);
      tell(name);
    }
  }

  void wait() {
    std::vector<io::Watch> watches{{.fd = wake_fd_, .wants_read = true}};
    std::vector<size_t> ends;
    Time deadline = asked_.empty() ? now_ + kIdleWait : asked_.front().deadline;
    for (const auto& line : lines_) {
      line->channel.add_watches(watches);
      ends.push_back(watches.size());
      deadline = line->channel.next_deadline(deadline);
    }
    io::wait_ready(watches, deadline);
    now_ = std::chrono::steady_clock::now();
    if (watches[0].is_readable) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t size = read(wake_fd_, &count, sizeof count);
    }
    size_t begin = 1;
    for (size_t i = 0; i < ends.size(); ++i) {
      lines_[i]->channel.process_ready(std::span(watches).subspan(begin, ends[i] - begin));
      begin = ends[i];
    }
  }

  const std::string servers_;
  const int wake_fd_;

  // Word from other threads.
  std::mutex mutex_;
  std::vector<Question> questions_;
  bool is_stopping_ = false;

  // The thread's own.
  Time now_{};
  std::unordered_map<std::string, Name> names_;
  List<Name, ByUse> by_use_;      // all, the one that was asked for last at the end
  List<Name, ByTurn> waiting_;    // to be looked up
  List<Name, ByDeadline> asked_;  // those that have askers
  size_t waiting_count_ = 0;
  unsigned under_way_count_ = 0;
  std::vector<std::unique_ptr<Line>> lines_;  // the last takes questions, perhaps

  std::thread thread_;  // the last: it uses the others
};

Result<std::unique_ptr<Resolver>> Resolver::start(std::string servers) {
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0)
    return failure("cannot create an eventfd: " + errno_text(errno) + "; raise the descriptor limit (ulimit -n)");
  return std::unique_ptr<Resolver>(new Resolver(std::make_unique<Thread>(std::move(servers), wake_fd)));
}

Resolver::Resolver(std::unique_ptr<Thread> thread) noexcept : thread_(std::move(thread)) {}

Resolver::~Resolver() = default;

void Resolver::look_up(std::string_view name, const std::shared_ptr<NameAnswers>& answers) {
  if (!is_lookup_name(name)) {
    answers->put({std::string(name), {}, limits::dns_failure_lifetime, "it is no name that can be looked up"});
  } else if (!thread_->ask(name, answers)) {
    answers->put({std::string(name), {}, {}, "too many names are being looked up"});
  }
}

}  // namespace sluice::dns

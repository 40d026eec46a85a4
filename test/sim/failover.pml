/*
 * The rules of src/plan/failover as a model for spin: one host that has the instance, one that tries
 * to take it over at any time, and a third member. Time is in ticks. Clocks may differ by one tick
 * in the time of a promise, hosts may do nothing for as long as they like (so messages may be late or
 * lost), members may restart and the records may lose what was committed within a tick.
 *
 * Promised is: when a majority has consented, nothing runs at the host; and the instance never runs
 * twice. What the simulation tries at random, spin tries in every order. failover-model.test.ts also runs
 * it with one rule changed by a macro, and then spin finds how the instance runs twice.
 */
#ifndef SILENT
#define SILENT 2         /* Ticks of the host's clock from a question to when nothing runs. */
#endif
#define DRIFT 1          /* Ticks by which the host's clock may be behind in that time. */
#ifndef PROMISE
#define PROMISE (SILENT + DRIFT)
#endif
#ifndef REPLY
#define REPLY 1          /* An answer counts for so many ticks after its question. */
#endif
#ifndef DURABLE
#define DURABLE 1        /* Ticks from a commit to the start of what it assigned. */
#endif
#ifndef RESTARTED
#define RESTARTED SAYS_NO
#endif
#define LOST 1           /* What was committed within so many ticks may be lost. */
#define NONE 7

/* What a member says yes to, and for how long not to the other question. */
#define FREE 0
#define GRANTED 1
#define CONSENTED 2
#define SAYS_NO 3
#define HOST 0
#define TAKER 1
byte mode[3], left[3];

/* The host: its instance, the age of its newest granted question, and of the question on its way. */
bool hostRuns = true;
byte age = 0;
bool isBehind = false;
byte askAge = NONE;
bool isAskBehind = false;
byte yesToHost;
/* Coming back: the epoch that was read, then what was committed and how long ago. */
byte backEpoch = NONE, backCommit = NONE, backAge;

/* The taker. */
bool takerRuns = false;
byte consentAge = NONE, yesToTaker, takerEpoch = NONE;
bool mayCommit = false;
byte takerCommit = NONE, takerAge;

/* The records: whose instance it is, the host's epoch, and what they were before volatile commits. */
byte owner = HOST, epoch = 0, ownerBefore = HOST, epochBefore = 0, volatileFor = 0;
byte newest = 0;
#ifndef RESTARTS
#define RESTARTS 2
#endif
byte restarts = RESTARTS, crashes = 1, commits = 3;

#define majority(yes) ((yes) == 3 || (yes) == 5 || (yes) == 6 || (yes) == 7)
#define mayGrant(p) (mode[p] == FREE || mode[p] == GRANTED)
#ifdef CONSENT_ANYWAY
#define mayConsent(p) (mode[p] != SAYS_NO)
#else
#define mayConsent(p) (mode[p] == FREE || mode[p] == CONSENTED)
#endif
#ifdef ANY_EPOCH
#define isEpoch(read) true
#else
#define isEpoch(read) (epoch == read)
#endif

inline promise(p, what) { mode[p] = what; left[p] = PROMISE }

/* Another epoch. With a counter, a number that somebody has read may come again. */
inline commit(by) {
  commits--;
  if
  :: volatileFor == 0 -> ownerBefore = owner; epochBefore = epoch
  :: else
  fi;
  volatileFor = LOST;
  owner = by;
#ifdef COUNTER
  epoch++
#else
  newest++;
  epoch = newest
#endif
}

inline passed(p) {
  if
  :: left[p] > 0 -> left[p]--;
     if
     :: left[p] == 0 -> mode[p] = FREE
     :: else
     fi
  :: else
  fi
}

/* A tick of all clocks; that of the host may miss it. */
inline tick(isMissed) {
  passed(0); passed(1); passed(2);
  if
  :: isMissed -> isBehind = true; isAskBehind = true
  :: else ->
     if
     :: age < SILENT -> age++
     :: else
     fi;
     if
     :: age == SILENT -> hostRuns = false; backEpoch = NONE; backCommit = NONE; backAge = 0
     :: else
     fi;
     if
     :: askAge != NONE && askAge < REPLY -> askAge++
     :: askAge == REPLY -> askAge = NONE; yesToHost = 0; isAskBehind = false
     :: else
     fi
  fi;
  if
  :: consentAge != NONE && consentAge < REPLY -> consentAge++
  :: consentAge == REPLY -> consentAge = NONE; yesToTaker = 0;
     if
     :: !mayCommit -> takerEpoch = NONE
     :: else
     fi
  :: else
  fi;
  if
  :: backCommit != NONE && backAge < DURABLE -> backAge++
  :: else
  fi;
  if
  :: takerCommit != NONE && takerAge < DURABLE -> takerAge++
  :: else
  fi;
  if
  :: volatileFor > 0 -> volatileFor--;
     if
     :: volatileFor == 0 -> ownerBefore = owner; epochBefore = epoch
     :: else
     fi
  :: else
  fi
}

inline answerHost(p) {
  promise(p, GRANTED);
  yesToHost = yesToHost | (1 << p)
}
inline answerTaker(p) {
  promise(p, CONSENTED);
  yesToTaker = yesToTaker | (1 << p)
}
inline restart(p) {
  restarts--;
  mode[p] = RESTARTED;
  left[p] = (RESTARTED == FREE -> 0 : PROMISE)
}

active proctype cloud() {
  /* The instance was started with a grant. */
  atomic { promise(0, GRANTED); promise(1, GRANTED); promise(2, GRANTED) }
  do
  :: atomic { tick(false) }
  :: atomic { !isBehind && age < SILENT && (askAge == NONE || !isAskBehind) -> tick(true) }

  /* The host asks, is answered, and has permission from when it asked. */
  :: atomic { askAge == NONE && mayGrant(HOST) -> askAge = 0; isAskBehind = false; yesToHost = 0; answerHost(HOST) }
  :: atomic { askAge != NONE && !(yesToHost & 2) && mayGrant(1) -> answerHost(1) }
  :: atomic { askAge != NONE && !(yesToHost & 4) && mayGrant(2) -> answerHost(2) }
  :: atomic { askAge != NONE && majority(yesToHost) ->
#ifdef FROM_ANSWER
       age = 0;
#else
       age = askAge;
#endif
       isBehind = isAskBehind; askAge = NONE; yesToHost = 0; isAskBehind = false }

  /* It comes back: with permission, and if the records let it. */
  :: atomic { !hostRuns && age < SILENT && backEpoch == NONE && backCommit == NONE && owner == HOST ->
       backEpoch = epoch }
  :: atomic { backEpoch != NONE && commits > 0 ->
       if
       :: owner == HOST && epoch == backEpoch -> commit(HOST); backCommit = epoch; backAge = 0
       :: else
       fi;
       backEpoch = NONE }
  :: atomic { backCommit != NONE && backAge == DURABLE && age < SILENT ->
       if
       :: owner == HOST && epoch == backCommit -> hostRuns = true; assert(!takerRuns)
       :: else
       fi;
       backCommit = NONE; backAge = 0 }

  /* The taker reads, asks, commits at any time after, and starts what is still its own. */
  :: atomic { takerEpoch == NONE && takerCommit == NONE && !takerRuns && owner == HOST ->
       takerEpoch = epoch; consentAge = 0; yesToTaker = 0 }
  :: atomic { consentAge != NONE && !(yesToTaker & 1) && mayConsent(0) -> answerTaker(0) }
  :: atomic { consentAge != NONE && !(yesToTaker & 2) && mayConsent(1) -> answerTaker(1) }
  :: atomic { consentAge != NONE && !(yesToTaker & 4) && mayConsent(2) -> answerTaker(2) }
  :: atomic { consentAge != NONE && majority(yesToTaker) ->
       assert(!hostRuns); mayCommit = true; consentAge = NONE; yesToTaker = 0 }
  :: atomic { mayCommit && commits > 0 ->
       if
       :: owner == HOST && isEpoch(takerEpoch) -> commit(TAKER); takerCommit = epoch; takerAge = 0
       :: else
       fi;
       mayCommit = false; takerEpoch = NONE }
  :: atomic { takerCommit != NONE && takerAge == DURABLE ->
       if
       :: owner == TAKER && epoch == takerCommit -> takerRuns = true; assert(!hostRuns)
       :: else
       fi;
       takerCommit = NONE; takerAge = 0 }

  /* What goes wrong. What a member does not do is late or lost. */
  :: atomic { restarts > 0 -> restart(HOST); hostRuns = false; age = SILENT; askAge = NONE; yesToHost = 0;
       isBehind = false; isAskBehind = false; backEpoch = NONE; backCommit = NONE; backAge = 0 }
  :: atomic { restarts > 0 && !takerRuns -> restart(1); consentAge = NONE; yesToTaker = 0; takerEpoch = NONE;
       mayCommit = false; takerCommit = NONE; takerAge = 0 }
  :: atomic { restarts > 0 -> restart(2) }
  :: atomic { crashes > 0 && volatileFor > 0 -> crashes--; owner = ownerBefore; epoch = epochBefore; volatileFor = 0 }
  od
}

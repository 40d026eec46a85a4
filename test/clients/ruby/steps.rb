# Steps of a story, each with what it said (null: it did what it should).
ROWS = []

def step(what)
  found = yield
  raise "it says #{found.inspect}" unless found
  ROWS << [what, nil]
rescue StandardError => e
  ROWS << [what, "#{e.class}: #{e.message}"]
end

def within(seconds = 120)
  ending = Time.now + seconds
  until yield
    raise 'not in time' if Time.now > ending
    sleep 0.2
  end
  true
end
